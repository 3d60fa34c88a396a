"""Disturbed rounds: what they are, and what they mean for the verdicts of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import VerdictRow
from reports.views.numbers import percent, ratio_in
from reports.views.text import LONGEST_TEXT, abbreviated, counted
from reports.views.verdicts import reason
from suites.records.plan import Plan
from suites.records.record import Conditions, Record
from suites.stats.disturbance import DECIDED, SLOW_PROBE, WAITED_SHARE

DEFINITION: Final = (
    f"A round is disturbed when its threads wait for a CPU for more than {percent(WAITED_SHARE)} "
    f"of it, or when a fixed matrix product before it takes more than {SLOW_PROBE:g} times as long "
    "as usual."
)
"""The definition, for every output and docs/measuring.md."""
ON_GPU: Final = (
    "On an NVIDIA device it is disturbed as well when heat, a hardware slowdown or the power brake "
    "reduces the clocks. The power cap does not count: boards reach it under usual load."
)
"""What the definition has besides, for runs with such a device."""
RULE: Final = (
    "Figures use the quiet rounds of a session where at least half are quiet, otherwise all rounds."
)
ALL_USED: Final = "figures use all rounds"
BUSY: Final = "Other work ran on this machine: run again when it is idle"
LEAST: Final = 0.001
"""A smaller relative difference of ratios has no digit among those that are shown."""
MOST_WITHHELD: Final = 3
"""Withheld verdicts that are named; further ones are counted."""


def sentences(analysis: Analysis) -> list[str]:
    """How many rounds were disturbed and what that means, then the definition.

    Empty where no round was disturbed.
    """
    found = meaning(analysis)
    return [*found, definition(analysis.plan)] if found else []


def definition(plan: Plan) -> str:
    """When a round is disturbed, on the devices of a plan."""
    on_gpu = any(problem.device == "cuda" for problem in plan.problems)
    return f"{DEFINITION} {ON_GPU}" if on_gpu else DEFINITION


def meaning(analysis: Analysis) -> list[str]:
    """How many rounds were disturbed, and what that means, then each withheld verdict.

    For outputs that link the word to its definition.
    """
    disturbed, tried = rounds(analysis.records)
    if not disturbed:
        return []
    rows = [*analysis.verdicts, *analysis.across]
    uses_all = all(len(record.rounds) == len(record.times_ms) for record in analysis.records)
    used = ALL_USED if uses_all else ""
    if uses_all and 2 * disturbed > tried:
        used = f"{ALL_USED}. {BUSY}"
    said = _of_one(rows[0]) if len(rows) == 1 else _of_several(rows, used)
    found = f"{disturbed} of {counted(tried, 'round')} were disturbed"
    return [f"{'; '.join(filter(None, [found, said]))}.", *_withheld(rows)]


def _withheld(every: Sequence[VerdictRow]) -> list[str]:
    """A sentence for each withheld verdict, with the reason; many are counted."""
    rows = [row for row in every if row.withheld]
    said = [
        abbreviated(f"{row.implementation} on {row.problem}: {reason(row)}.", LONGEST_TEXT)
        for row in rows[:MOST_WITHHELD]
    ]
    left = len(rows) - len(said)
    return [*said, *([f"{counted(left, 'further verdict')} withheld."] if left else [])]


def rounds(records: Iterable[Record]) -> tuple[int, int]:
    """Disturbed rounds and all rounds; implementations in the same rounds count once."""
    every = [why for each in conditions(records) for why in each.disturbed]
    return sum(map(bool, every)), len(every)


def conditions(records: Iterable[Record]) -> list[Conditions]:
    """The conditions of all rounds; implementations in the same rounds share theirs."""
    found: dict[tuple[int, Problem], list[Conditions]] = defaultdict(list)
    for record in records:
        own = found[record.session, record.problem]
        if record.conditions is not None and record.conditions not in own:
            own.append(record.conditions)
    return [each for own in found.values() for each in own]


def _of_one(row: VerdictRow) -> str:
    """`with all rounds the ratio is 1.66 [1.26, 2.17]: the verdict stands`."""
    if row.ratio_all is None:
        return ""
    said = f"with all rounds the ratio is {ratio_in(row.ratio_all, row.low_all, row.high_all)}"
    if row.withheld:
        return f"{said}: the verdict is withheld"
    return f"{said}: the verdict stands" if row.verdict in DECIDED else said


def _of_several(rows: Sequence[VerdictRow], used: str) -> str:
    """How far ratios with the disturbed rounds are off, and whether the verdicts stand.

    used  the sentence where figures use the disturbed rounds of every session; else empty
    """
    both = [(row.ratio, row.ratio_all) for row in rows if row.ratio and row.ratio_all]
    decided = sum(row.verdict in DECIDED for row in rows)
    kept_back = sum(row.withheld for row in rows)
    if not both:
        return ""
    off = max(_apart(*each) for each in both)
    said = f"with and without them the ratios differ by {_most(off)}"
    if used:
        return used if not kept_back else f"{used}; {_kept_back(kept_back, decided)}"
    if kept_back:
        return f"{said}: {_kept_back(kept_back, decided)}"
    return f"{said}: every verdict stands" if decided else said


def _kept_back(withheld: int, decided: int) -> str:
    return f"{withheld} of {counted(decided + withheld, 'verdict')} withheld"


def _most(off: float) -> str:
    return f"at most {percent(off)}" if off >= LEAST else f"less than {percent(LEAST)}"


def _apart(one: float, other: float) -> float:
    """The relative difference of two ratios, equal for both orders."""
    return max(one / other, other / one) - 1
