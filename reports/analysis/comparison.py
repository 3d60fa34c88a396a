"""Two implementations of a run, or two runs: faster, slower, same, inconclusive."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from reports.analysis.differences import ChangedFile, Difference
from reports.analysis.verdicts import (
    Judged,
    paired,
    run_floor,
    shared_fields,
    twins_of,
)
from reports.rows.answers import State, timed
from reports.rows.timings import median_ms
from suites.records.plan import Entry, Plan
from suites.records.record import Record
from suites.records.store import Run
from suites.stats.pairing import pair

Place = tuple[Problem, int]
"""A problem and the threads it was timed with."""
Series = tuple[tuple[float, ...], ...]
"""Log ratios by session, of one run or of two."""
NOTHING_SHARED: Final = "no shared baseline was measured"
IS_BASELINE: Final = "the others are compared with it"


@dataclass(frozen=True, slots=True)
class MissingTime:
    """Why one of two runs has no time: the state of its answer and its reason."""

    run: str
    status: State
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow(Judged):
    """One problem, implementation and number of threads on both sides.

    base_ms, new_ms  medians of session medians; None: not timed
    missing          why one of the two has no time; None where both have
    series           the log ratios behind the interval, one a session: those of the new side, and
                     between two runs those of the base; empty without an interval over sessions
    is_baseline      whether the others of two runs are compared with it
    """

    problem: Problem
    implementation: str
    threads: int
    baseline: str | None
    base_ms: float | None
    new_ms: float | None
    missing: MissingTime | None = None
    series: Series = ()
    is_baseline: bool = False


@dataclass(frozen=True, slots=True)
class OnlyIn:
    """What one of two runs planned and the other did not."""

    run: str
    implementations: tuple[str, ...]
    problems: int


@dataclass(frozen=True, slots=True)
class Lost:
    """An implementation with a time in the base and none in the new run, on these problems."""

    implementation: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A base and a new side, problem by problem.

    base, new    two implementations of one run, or the names of two runs
    of_runs      whether they are runs
    delta        the smallest relative difference that counts
    floor        the noise floor of the run of two implementations; None between runs
    lost         no time on the new side
    only_in      planned by one run only
    changed      files that changed between two runs
    plan         of the new side
    differences  what differs between the machines or settings of two runs; if any, the runs are
                 compared on request only
    """

    base: str
    new: str
    of_runs: bool
    rows: tuple[ComparisonRow, ...]
    delta: float
    plan: Plan
    floor: float | None = None
    lost: tuple[Lost, ...] = ()
    only_in: tuple[OnlyIn, ...] = ()
    changed: tuple[ChangedFile, ...] = ()
    differences: tuple[Difference, ...] = ()


def implementations(run: Run, records: Iterable[Record], base: str, new: str) -> Comparison:
    """Two implementations of one run on every problem with times of both, paired by session.

    Raises ValueError for a name that the run does not hold, and for two of different panels.
    """
    of_base, of_new = _entry(run, base).panel, _entry(run, new).panel
    if of_base != of_new:
        raise ValueError(
            f"{base} is in the panel {of_base} and {new} in the panel {of_new}; "
            "expected two implementations of one panel"
        )
    found = timed(run, records)
    both = {place: own for place, own in found.items() if base in own and new in own}
    lost = [place[0] for place, own in found.items() if base in own and new not in own]
    return Comparison(
        base=base,
        new=new,
        of_runs=False,
        rows=tuple(_beside(run.plan, place, own, base, new) for place, own in both.items()),
        delta=run.plan.delta,
        plan=run.plan,
        floor=run_floor(found),
        lost=(Lost(new, tuple(lost)),) if lost else (),
    )


def _beside(
    plan: Plan, place: Place, found: dict[str, list[Record]], base: str, new: str
) -> ComparisonRow:
    judged = paired(found[base], found[new], twins_of(found), plan)
    return ComparisonRow(
        problem=place[0],
        implementation=new,
        threads=place[1],
        baseline=base,
        base_ms=median_ms(found[base]),
        new_ms=median_ms(found[new]),
        series=(tuple(pair(found[base], found[new]).log_ratios),) if judged.ratio else (),
        **shared_fields(judged, Judged),
    )


def slower_beyond(rows: Iterable[ComparisonRow], fraction: float) -> list[ComparisonRow]:
    """The rows whose whole interval is slower by more than a fraction."""
    return [
        row
        for row in rows
        if row.verdict == "slower" and row.low is not None and row.low > 1 + fraction
    ]


def no_longer_timed(rows: Iterable[ComparisonRow]) -> list[ComparisonRow]:
    """The rows with a time in the base and none on the new side."""
    return [row for row in rows if row.base_ms is not None and row.new_ms is None]


def _entry(run: Run, name: str) -> Entry:
    found = {entry.name: entry for entry in run.plan.entries}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(found)}"
        raise ValueError(f"no implementation {name!r} in run {run.name!r}; {hint}")
    return found[name]
