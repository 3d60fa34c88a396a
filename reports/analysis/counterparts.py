"""Times beside those of a counterpart that differs in one property only, in the same sessions.

Counterparts of a time in training are forward times, of a time with positions those without, and
of a time in 16 bits those in float32.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from impls.interface import Bias, Problem
from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.rows.timings import session_ms
from suites.records.record import Pair
from suites.stats.intervals import Interval, Unsettled, log_ratio, over_sessions

_POSITIONS: Final = re.compile(r"\[positions=(\w+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """A time and that of its counterpart.

    row, other  both rows, with the most threads
    ratio       of the time over that of the counterpart: of the medians in each session, their
                geometric mean over the sessions that timed both
    interval    of the ratio over these sessions; None without one
    sessions    that timed both
    """

    row: Measurement
    other: Measurement
    ratio: float
    interval: Interval | None
    sessions: int


def trainings(analysis: Analysis) -> list[Counterpart]:
    """Training over forward of the same problem and implementation."""
    return list(_found(analysis, _forward))


def encodings(analysis: Analysis) -> list[Counterpart]:
    """With positions over without: a bias of the scores, or an encoding in a layer."""
    return list(_found(analysis, _without_positions))


def dtypes(analysis: Analysis) -> list[Counterpart]:
    """In 16 bits over float32, of the same problem and implementation."""
    return list(_found(analysis, _in_float32))


def encoding(pair: Pair) -> str:
    """The encoding of positions of a problem and an implementation; empty for none."""
    problem, name = pair
    if problem.bias.kind != "none":
        return str(problem.bias)
    found = _POSITIONS.search(name)
    return "" if found is None or found[1] == "none" else found[1]


def _forward(pair: Pair) -> Pair | None:
    problem, name = pair
    return (replace(problem, training=False), name) if problem.training else None


def _in_float32(pair: Pair) -> Pair | None:
    problem, name = pair
    narrow = problem.dtype in ("float16", "bfloat16")
    return (replace(problem, dtype="float32"), name) if narrow else None


def _without_positions(pair: Pair) -> Pair | None:
    problem, name = pair
    if not encoding(pair):
        return None
    if problem.bias.kind != "none":
        return replace(problem, bias=Bias()), name
    return problem, _POSITIONS.sub("", name)


def _found(analysis: Analysis, counterpart: Callable[[Pair], Pair | None]) -> Iterator[Counterpart]:
    """Each time that has its counterpart in the run, in the order of the plan."""
    rows = {(row.problem, row.implementation): row for row in analysis.with_most_threads}
    for pair, row in rows.items():
        other = counterpart(pair)
        if other is not None and other in rows and row.median_ms and rows[other].median_ms:
            yield _compared(analysis, row, rows[other])


def _compared(analysis: Analysis, row: Measurement, other: Measurement) -> Counterpart:
    own, theirs = (_sessions(analysis, each) for each in (row, other))
    both = [each for each in sorted(own.keys() & theirs.keys()) if own[each] and theirs[each]]
    logs = [log_ratio([theirs[each]], [own[each]], paired=False) for each in both]
    interval = over_sessions(logs) if len(logs) > 1 else None
    return Counterpart(
        row=row,
        other=other,
        ratio=math.exp(fmean(logs)) if logs else row.median_ms / other.median_ms,
        interval=None if isinstance(interval, Unsettled) else interval,
        sessions=len(logs),
    )


def _sessions(analysis: Analysis, row: Measurement) -> dict[int, float]:
    """The time of each session, ms."""
    place: tuple[Problem, int] = (row.problem, row.threads)
    records = analysis.timed.get(place, {}).get(row.implementation, ())
    return {record.session: session_ms(record) for record in records}
