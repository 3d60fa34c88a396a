"""How ratios, intervals and verdicts read, and what a run concludes, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from reports import words
from reports.analysis import Analysis
from suites.records.plan import Plan
from suites.stats.verdicts import WORDS, false_verdicts

_LEAST_RATIO: Final = 0.001
_MOST_RATIO: Final = 1000
"""Beyond these a ratio says no more than that; so wide a number would leave no room for names."""


def percent(value: float | None) -> str:
    """A relative difference: 0.34 %, 1 %, 12 %; empty when not measured."""
    if value is None or not words.known(value):
        return ""
    return f"{words.three_digits(100 * value) if abs(value) >= 1 else f'{100 * value:.2g}'} %"


def ratio(value: float | None) -> str:
    """A ratio, to a thousandth where it is near 1: 0.0123, 0.998, 41.2, >1000; empty for none."""
    if value is None or not words.known(value):
        return ""
    if value < _LEAST_RATIO or value > _MOST_RATIO:
        return f"<{_LEAST_RATIO:g}" if value < 1 else f">{_MOST_RATIO:g}"
    return f"{value:.3f}" if 0.1 <= value < 10 else words.three_digits(value)


def ratio_in(value: float | None, low: float | None, high: float | None) -> str:
    """A ratio with its interval, where it has one: 0.998 [0.991, 1.005]."""
    ends = (ratio(low), ratio(high))
    return f"{ratio(value)} [{', '.join(ends)}]" if all(ends) else ratio(value)


def floor(value: float | None) -> str:
    """What identical code may differ by: 0.34 %, 12 %, >100 %; empty when not measured."""
    return ">100 %" if value is not None and value > 1 else percent(value)


def summary_sentences(analysis: Analysis) -> list[str]:
    """What was concluded and what was not; no sentence without a comparison."""
    rows = analysis.verdicts
    if not rows:
        return []
    said = (
        tally(rows, analysis.plan.delta),
        chance(rows),
        _one_process(rows),
        _open(rows),
        imprecise(analysis.plan, rows),
        floor_words(analysis.floor, rows),
    )
    return [sentence for sentence in said if sentence]


def tally(rows: Iterable[dict[str, Any]], delta: float) -> str:
    """The verdicts counted: 12 comparisons: 7 faster, 1 slower, 4 inconclusive; ..."""
    found = Counter(row["verdict"] for row in rows)
    parts = ", ".join(f"{found[word]} {word}" for word in WORDS if found[word])
    counted = words.counted(found.total(), "comparison")
    return f"{counted}: {parts}; a difference counts from {percent(delta)}."


def chance(rows: Iterable[dict[str, Any]]) -> str:
    """How many false verdicts a table of this size is expected to hold; empty without intervals."""
    judged = sum(row["low"] is not None for row in rows)
    if not judged:
        return ""
    return (
        f"Where nothing differs, {percent(false_verdicts(1))} of intervals exclude 1 all the same: "
        f"of {words.counted(judged, 'interval')} up to {false_verdicts(judged):.2g}."
    )


def floor_words(whole: float | None, rows: Iterable[dict[str, Any]] = ()) -> str:
    """What the twins of a run tell, over all problems together and from one to the other.

    whole  what identical code may differ by in all of the run
    rows   verdicts, with the floor of each one's problem
    """
    if whole is None:
        return "No twin was measured: what identical code may differ by is not known."
    told = f"Identical code, the baseline and its twin, may differ by {floor(whole)} in this run"
    own = sorted({row["floor"] for row in rows if row["floor"] is not None})
    if len(own) < 2:
        return f"{told}."
    return f"{told} as a whole, by {floor(own[0])} to {floor(own[-1])} on a problem of it."


def _one_process(rows: list[dict[str, Any]]) -> str:
    alone = sum(row["basis"] == "this process" for row in rows)
    if not alone:
        return ""
    return (
        f"{words.counted(alone, 'ratio')} from a single session: true of that process, and the "
        "next may differ (--sessions)."
    )


def _open(rows: list[dict[str, Any]]) -> str:
    """What it would take to settle what is inconclusive."""
    more = [row["more_sessions"] for row in rows if row["verdict"] == "inconclusive"]
    told = [each for each in more if each is not None]
    if not told:
        return ""
    least = f"{min(told)} to " if min(told) < max(told) else ""
    return (
        f"About {least}{words.counted(max(told), 'more session')} would settle {len(told)} of the "
        f"{len(more)} inconclusive, if their spread stays as it is."
    )


def imprecise(plan: Plan, rows: list[dict[str, Any]]) -> str:
    """How many ratios stayed below the precision asked for; empty when none did."""
    short = sum(row["reached"] is False for row in rows)
    if plan.precision is None or not short:
        return ""
    asked = f"The precision asked for, {percent(plan.precision)} either way,"
    return f"{asked} was not reached in {short} of {words.counted(len(rows), 'comparison')}."
