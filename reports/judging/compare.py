"""Two implementations of a run, or two runs: faster, slower, same, inconclusive.

Two runs were measured at different times, so that neither's milliseconds are held against the
other's. Each has its ratios to what both measured beside; the verdict is on how these differ.
"""

from __future__ import annotations

import difflib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Self

import pandas as pd

from reports.judging.differences import differences, side_by_side
from reports.judging.verdict_words import chance, floor_words, tally
from reports.judging.verdicts import (
    Timed,
    compared,
    frame,
    panels,
    run_floor,
    timed,
    twins_of,
    verdict_columns,
)
from reports.panels import subject
from reports.tables import outcomes, rows_of
from reports.timings import session_ms
from reports.words import STATUS_WORDS, counted
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from suites.stats.intervals import noise_floor
from suites.stats.pairing import pair
from suites.stats.verdicts import judge_between, not_judged

COMPARED_COLUMNS: Final = (
    "problem",
    "implementation",
    "threads",
    "baseline",
    "base_ms",
    "new_ms",
    "ratio",
    "low",
    "high",
    "basis",
    "floor",
    "verdict",
    "more_sessions",
    "reason",
)
Place = tuple[str, int]
"""A problem and the threads it was timed with."""
NOTHING_SHARED: Final = "nothing shared was measured beside it"
IS_BASELINE: Final = "the others are held against it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A base and what is new, problem by problem.

    base, new    two implementations of one run, or the names of two runs
    table        columns as in COMPARED_COLUMNS: medians of session medians, and new over base
    sentences    what a reader has to know of it
    differences  what differs between the machines of two runs; not empty: not to be compared,
                 unless that is asked for
    """

    base: str
    new: str
    table: pd.DataFrame
    sentences: tuple[str, ...]
    differences: tuple[str, ...] = ()


def implementations(run: Run, records: Iterable[Record], base: str, new: str) -> Comparison:
    """Two implementations of one run on every problem that both answered, paired by session.

    Raises ValueError for a name that the run does not hold, and for a layer beside none.
    """
    records = list(records)
    shown = [_entry(run, name).panel for name in (base, new)]
    if shown[0] != shown[1]:
        raise ValueError(
            f"{base} is among the {subject(shown[0])} and {new} among the {subject(shown[1])}; "
            "expected two of a kind"
        )
    rows = (
        {
            "problem": problem,
            "implementation": new,
            "threads": threads,
            "baseline": base,
            "base_ms": _median_ms(found[base]),
            "new_ms": _median_ms(found[new]),
            **compared(found[base], found[new], twins_of(found), run.plan),
        }
        for (problem, threads), found in timed(run, records).items()
        if base in found and new in found
    )
    table = frame(rows, COMPARED_COLUMNS)
    found_by = timed(run, records).items()
    lost = [new for _, found in found_by if base in found and new not in found]
    only = [f"Timed for {base} and not for {new}: {counted(len(lost), 'problem')}."] if lost else []
    said = (*_conclusions(table, run.plan.delta), *only, floor_words(run_floor(run, records)))
    return Comparison(base=base, new=new, table=table, sentences=said)


def runs(
    base: Run,
    base_records: Iterable[Record],
    new: Run,
    new_records: Iterable[Record],
    *,
    delta: float | None = None,
) -> Comparison:
    """Two runs on every problem, threads and implementation that both planned and one timed.

    delta  what counts as a difference; the new run's unless told

    The baseline of a problem is one that both runs timed on it, from the same files.
    """
    delta = new.plan.delta if delta is None else delta
    sides = _Side.of(base, base_records), _Side.of(new, new_records)
    table = frame(_between(*sides, delta), COMPARED_COLUMNS)
    apart = (
        f"{base.name} and {new.name} were measured at different times: a ratio is the one to the "
        f"baseline in {new.name} over the one in {base.name}; milliseconds are shown, not judged."
    )
    only = (*_in_one_only(base, new), *_in_one_only(new, base))
    told = [*_lost(*sides), *([apart] if base.name != new.name else []), *only]
    said = (*_conclusions(table, delta), *told, *side_by_side(base, new))
    return Comparison(
        base=base.name,
        new=new.name,
        table=table,
        sentences=said,
        differences=tuple(differences(base, new)),
    )


def slower_beyond(table: pd.DataFrame, fraction: float) -> pd.DataFrame:
    """The rows that are slower by more than a fraction, with the whole of their interval."""
    return table[(table["verdict"] == "slower") & (table["low"] > 1 + fraction).fillna(value=False)]


def not_gated(found: Comparison) -> str:
    """Why a gate on what is slower could find nothing at all; empty where a row was judged."""
    table = found.table
    if table.empty:
        return "nothing was measured on both sides"
    if (table["verdict"] != "not judged").any():
        return ""
    reasons = "; ".join(table["reason"].unique())
    return f"none of {counted(len(table), 'comparison')} was judged: {reasons}"


def no_longer_timed(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with a time in the base and none in what is new; their reason says why."""
    return table[table["base_ms"].notna() & table["new_ms"].isna()]


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs: what it timed, by problem and threads, and how its answers ended."""

    run: Run
    timed: Timed
    endings: dict[tuple[str, str], dict[str, Any]]

    @classmethod
    def of(cls, run: Run, records: Iterable[Record]) -> Self:
        records = list(records)
        rows = rows_of(outcomes(run, records))
        endings = {(row["problem"], row["implementation"]): row for row in rows}
        return cls(run, timed(run, records), endings)

    def lack(self, problem: str, name: str) -> str:
        """Why it has no time, in words."""
        row = self.endings[problem, name]
        word = "not timed" if row["status"] == "ok" else STATUS_WORDS[row["status"]]
        return f"{word} in {self.run.name}" + (f": {row['reason']}" if row["reason"] else "")


def _between(base: _Side, new: _Side, delta: float) -> Iterator[dict[str, Any]]:
    """A row for each problem, threads and implementation of both plans that either has timed."""
    hashes = {entry.name: entry.hashes for entry in new.run.plan.entries}
    planned = [entry for entry in base.run.plan.entries if entry.name in hashes]
    unchanged = {entry.name for entry in planned if entry.hashes == hashes[entry.name]}
    for place in (place for place in base.timed if place in new.timed):
        either = base.timed[place] | new.timed[place]
        both = base.timed[place].keys() & new.timed[place].keys() & unchanged
        for _, panel in panels(new.run.plan, either):
            shared = both & panel.keys()
            baseline = base.run.plan.baseline_of(shared)
            beside = IS_BASELINE if len(shared) > 1 else NOTHING_SHARED
            for name in (entry.name for entry in planned if entry.name in panel):
                yield {
                    "problem": place[0],
                    "implementation": name,
                    "threads": place[1],
                    "baseline": baseline or None,
                    "base_ms": _median_ms(base.timed[place].get(name, [])),
                    "new_ms": _median_ms(new.timed[place].get(name, [])),
                    **(
                        verdict_columns(not_judged(beside, delta=delta))
                        if name == baseline
                        else _judged((base, new), place, name, baseline, delta)
                    ),
                }


def _judged(
    sides: tuple[_Side, _Side], place: Place, name: str, baseline: str, delta: float
) -> dict[str, Any]:
    lacking = [side.lack(place[0], name) for side in sides if name not in side.timed[place]]
    if lacking or not baseline:
        reason = lacking[0] if lacking else NOTHING_SHARED
        return verdict_columns(not_judged(reason, delta=delta))
    try:
        pairs = [pair(side.timed[place][baseline], side.timed[place][name]) for side in sides]
    except ValueError as error:  # the clock stood still
        return verdict_columns(not_judged(str(error), delta=delta))
    floors = [
        noise_floor(twins_of(side.timed[place]), len(found.log_ratios))
        for side, found in zip(sides, pairs, strict=True)
    ]
    ratios = [found.log_ratios for found in pairs]
    given = judge_between(*ratios, delta=delta, floor=_together(floors))
    return verdict_columns(given, next((found.note for found in pairs if found.note), ""))


def _together(floors: Iterable[float | None]) -> float | None:
    """What identical code may differ by when each of two runs may be off by its own floor."""
    known = [math.log1p(floor) for floor in floors if floor is not None]
    return math.expm1(math.hypot(*known)) if len(known) == 2 else None


def _median_ms(timed: Iterable[Record]) -> float | None:
    medians = [session_ms(record) for record in timed]
    return median(medians) if medians else None


def _conclusions(table: pd.DataFrame, delta: float) -> list[str]:
    rows = rows_of(table)
    if not rows:
        return ["Nothing was measured on both sides."]
    return [each for each in (tally(rows, delta), chance(rows)) if each]


def _lost(base: _Side, new: _Side) -> list[str]:
    """Who has a time in the base and none in what is new, planned there or not, in a sentence."""
    places: dict[str, dict[str, None]] = defaultdict(dict)
    for place, found in base.timed.items():
        for name in found.keys() - new.timed.get(place, {}).keys():
            places[name][place[0]] = None
    order = [entry.name for entry in base.run.plan.entries if entry.name in places]
    lost = ", ".join(f"{name} on {_which(list(places[name]))}" for name in order)
    return [f"No longer timed in {new.run.name}: {lost}."] if lost else []


def _which(problems: list[str]) -> str:
    """A problem by its name, several by their number."""
    return problems[0] if len(problems) == 1 else counted(len(problems), "problem")


def _in_one_only(run: Run, other: Run) -> list[str]:
    """What was asked of one run and not of the other, in a sentence."""
    names = [e.name for e in run.plan.entries if e.name not in {o.name for o in other.plan.entries}]
    problems = len(set(run.plan.problems) - set(other.plan.problems))
    parts = [*names, *([counted(problems, "problem")] if problems else [])]
    return [f"Only in {run.name}: {', '.join(parts)}."] if parts else []


def _entry(run: Run, name: str) -> Entry:
    found = {entry.name: entry for entry in run.plan.entries}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(found)}"
        raise ValueError(f"no implementation {name!r} in run {run.name!r}; {hint}")
    return found[name]
