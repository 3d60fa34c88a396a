"""Records to verdicts: each implementation against the baseline of its problem, with an interval.

Attention and layers are judged apart: each has a baseline of its own kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from statistics import fmean, median
from typing import Any, Final

import pandas as pd

from reports.tables import answers, with_times
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run
from suites.stats.intervals import noise_floor
from suites.stats.pairing import Pair, pair, twin_log_ratios
from suites.stats.verdicts import Verdict, judge, not_judged

VERDICT_COLUMNS: Final = (
    "problem",
    "implementation",
    "baseline",
    "panel",
    "threads",
    "ratio",
    "low",
    "high",
    "basis",
    "sessions",
    "rounds",
    "disturbed",
    "floor",
    "verdict",
    "more_sessions",
    "reason",
    "ratio_all",
    "reached",
)
TYPES: Final = {
    "threads": "Int64",
    "ratio": "Float64",
    "low": "Float64",
    "high": "Float64",
    "sessions": "Int64",
    "rounds": "Int64",
    "disturbed": "Int64",
    "floor": "Float64",
    "more_sessions": "Int64",
    "ratio_all": "Float64",
    "reached": "boolean",
}
"""Of the columns that may have an empty cell."""

Timed = dict[tuple[str, int], dict[str, list[Record]]]
"""Records with times: by problem and threads, then by implementation."""
Panel = dict[str, list[Record]]
"""Those of one problem that may be ranked together, by implementation."""


def verdicts(run: Run, records: Iterable[Record]) -> pd.DataFrame:
    """One row per problem, threads and implementation beside a baseline, as in VERDICT_COLUMNS.

    ratio, low, high  time over the baseline's, with its 95 % interval; below 1 it is faster
    basis             sessions, or `this process` where there was only one
    rounds            rounds of all sessions, of which so many were `disturbed`
    floor             what identical code may differ by on this problem, from its twins; relative
    more_sessions     about how many more would settle what is inconclusive
    ratio_all         the ratio with the disturbed rounds, which `ratio` leaves out
    reached           whether the interval is as narrow as the plan's precision; None without one

    A pair with a record that is not ok, in any session, has no row here.
    """
    rows = (
        {"problem": problem, "baseline": baseline, "panel": name, "threads": threads, **row}
        for (problem, threads), found in timed(run, records).items()
        for name, panel in panels(run.plan, found)
        if (baseline := run.plan.baseline_of(panel))
        for row in _against(run.plan, baseline, panel, twins_of(found))
    )
    return frame(rows, VERDICT_COLUMNS)


def run_floor(run: Run, records: Iterable[Record]) -> float | None:
    """What identical code may differ by in this run, relative: its twins on all problems together.

    None when no twin was measured.
    """
    twins = [found for each in timed(run, records).values() if (found := twins_of(each))]
    if not twins:
        return None
    sessions = round(median(len(found) for found in twins))
    return noise_floor(list(chain.from_iterable(twins)), sessions)


def compared(
    base: Iterable[Record], other: Iterable[Record], twins: Sequence[float], plan: Plan
) -> dict[str, Any]:
    """Two implementations on one problem, with the same threads, as the columns of a verdict."""
    found, given = _judged(base, other, twins, plan.delta)
    return {
        **verdict_columns(given, found.note),
        "sessions": len(found.log_ratios),
        "rounds": found.tried,
        "disturbed": found.disturbed,
        "ratio_all": math.exp(fmean(found.all_log_ratios)) if found.all_log_ratios else None,
        "reached": _reached(given, plan.precision),
    }


def verdict_columns(given: Verdict, note: str = "") -> dict[str, Any]:
    """A verdict as columns; the note joins its reason."""
    interval = given.interval
    return {
        "ratio": given.ratio,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "basis": interval.basis if interval else None,
        "floor": given.floor,
        "verdict": given.word,
        "more_sessions": given.more_sessions,
        "reason": "; ".join(filter(None, [given.reason, note])),
    }


def timed(run: Run, records: Iterable[Record]) -> Timed:
    """The records of a run that carry times, of pairs without a fault, in the plan's order."""
    found: Timed = {
        (problem, threads): {} for problem in run.plan.problems for threads in run.plan.threads
    }
    for (problem, name), every in answers(run, records).items():
        for record in with_times(every):
            threads = record.threads or run.plan.threads_of(record.session)
            found.setdefault((problem, threads), {}).setdefault(name, []).append(record)
    return found


def panels(plan: Plan, found: dict[str, list[Record]]) -> list[tuple[str, Panel]]:
    """What may be ranked together, by panel."""
    return [
        (panel, {name: found[name] for name in names})
        for panel, names in plan.panels(found).items()
    ]


def twins_of(found: dict[str, list[Record]]) -> list[float]:
    """What the twins on one problem tell, a log ratio for each session that had one."""
    return twin_log_ratios(chain.from_iterable(found.values()))


def frame(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a frame of these columns, an empty cell where a row has none."""
    made = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    return made.astype({name: kind for name, kind in TYPES.items() if name in columns})


def _against(
    plan: Plan, baseline: str, panel: Panel, twins: Sequence[float]
) -> Iterator[dict[str, Any]]:
    for name, own in panel.items():
        if name != baseline:
            yield {"implementation": name, **compared(panel[baseline], own, twins, plan)}


def _judged(
    base: Iterable[Record], other: Iterable[Record], twins: Sequence[float], delta: float
) -> tuple[Pair, Verdict]:
    try:
        found = pair(base, other)
    except ValueError as error:  # the clock stood still
        return Pair(), not_judged(str(error), delta=delta)
    floor = noise_floor(twins, len(found.log_ratios))
    return found, judge(found.log_ratios, delta=delta, floor=floor, rounds=found.rounds)


def _reached(given: Verdict, precision: float | None) -> bool | None:
    if precision is None:
        return None
    found = given.interval
    return found is not None and found.basis == "sessions" and found.half_width <= precision
