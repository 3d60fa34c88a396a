"""Sentences on verdicts: how many, how certain, and the noise floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import Judged, VerdictRow
from reports.views.kernels import label
from reports.views.numbers import floor, percent
from reports.views.text import counted
from suites.records.plan import Plan
from suites.stats.verdicts import WORDS, false_verdicts

ALONE: Final = " (this process)"
"""Follows the verdict of a single session."""


def verdict(row: VerdictRow) -> str:
    """The word of a verdict, or that both ran the same kernel, so that neither is ranked."""
    if row.same_kernel:
        return label(row.same_kernel)
    return row.verdict + (ALONE if row.basis == "this process" else "")


def reason(row: Judged) -> str:
    """Why nothing was concluded, or a note on the pairs; empty for neither."""
    return "; ".join(row.reasons)


def conclusions(analysis: Analysis, *, counts: bool = True) -> list[str]:
    """The noise, and how many more sessions would decide; empty without a comparison.

    counts  with the number of each verdict, and how many intervals exclude 1 by chance
    """
    rows = analysis.verdicts
    if not rows:
        return []
    ranked = [row for row in rows if not row.same_kernel]
    found = (
        noise_floor(analysis.floor, rows),
        *([tally(ranked, analysis.plan.delta), chance(ranked)] if counts and ranked else []),
        _one_process(rows),
        _further_sessions(rows),
        imprecise(analysis.plan, rows),
    )
    return [sentence for sentence in found if sentence]


def tally(rows: Iterable[Judged], delta: float) -> str:
    """The verdicts counted: 12 comparisons: 7 faster, 1 slower, 4 inconclusive; ..."""
    found = Counter(row.verdict for row in rows)
    parts = ", ".join(f"{found[word]} {word}" for word in WORDS if found[word])
    every = counted(found.total(), "comparison")
    return f"{every}: {parts}; a difference counts from {percent(delta)}."


def chance(rows: Iterable[Judged]) -> str:
    """The expected number of false verdicts in a table of this size; empty without intervals."""
    judged = sum(row.low is not None for row in rows)
    if not judged:
        return ""
    return (
        f"Where nothing differs, {percent(false_verdicts(1))} of intervals exclude 1 all the same: "
        f"of {counted(judged, 'interval')} up to {false_verdicts(judged):.2g}."
    )


def noise_floor(whole: float | None, rows: Iterable[Judged] = ()) -> str:
    """How far identical code differed, which hides smaller differences.

    whole  the floor of the run, from all of its twins together
    rows   verdicts, with the floor of their problems: their range stands for that of the run
    """
    if whole is None:
        return "No twin was measured, so the difference of identical code is not known."
    return f"Noise here: {noise(whole, rows)}, so differences below that are not shown."


def noise(whole: float, rows: Iterable[Judged] = ()) -> str:
    """The same in few words: identical code differed by 2.5 to 32 %."""
    own = sorted({row.floor for row in rows if row.floor is not None}) or [whole]
    return f"identical code differed by {_range(own[0], own[-1])}"


def _range(low: float, high: float) -> str:
    """Two floors: 2.5 to 32 % (by problem); one where both read the same."""
    ends = [floor(each).replace(">", "more than ") for each in (low, high)]
    if ends[0] == ends[1]:
        return ends[0]
    return f"{ends[0].removesuffix(' %')} to {ends[1]} (by problem)"


def imprecise(plan: Plan, rows: Sequence[VerdictRow]) -> str:
    """How many ratios did not reach the precision of the plan; empty when all did."""
    short = sum(row.reached is False for row in rows)
    if plan.precision is None or not short:
        return ""
    wanted = f"The requested precision, {percent(plan.precision)} either way,"
    return f"{wanted} was not reached in {short} of {counted(len(rows), 'comparison')}."


def _one_process(rows: Iterable[VerdictRow]) -> str:
    alone = sum(row.basis == "this process" for row in rows)
    if not alone:
        return ""
    return (
        f"{counted(alone, 'ratio')} from a single session: valid for that process, and the next "
        "may differ (--sessions)."
    )


def _further_sessions(rows: Iterable[VerdictRow]) -> str:
    """How many more sessions would settle what is inconclusive."""
    every = [row.more_sessions for row in rows if row.verdict == "inconclusive"]
    known = [each for each in every if each is not None]
    if not known:
        return ""
    least = f"{min(known)} to " if min(known) < max(known) else ""
    return (
        f"About {least}{counted(max(known), 'more session')} would settle {len(known)} of "
        f"{counted(len(every), 'inconclusive comparison')}, if their spread stays as it is."
    )
