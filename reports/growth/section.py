"""The part of the page on growth: what its intervals support, charts and two tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from reports import words
from reports.analysis import Analysis
from reports.growth.charts import exponent_charts
from reports.growth.models import Model
from reports.growth.tables import memory_table, time_table
from reports.growth.told import Growth, growth
from reports.sections import Section

BETWEEN: Final = 1.5
"""An exponent below it is nearer to growth in proportion, above it to growth with the square."""


def section(analysis: Analysis) -> Section | None:
    """How time and memory grow; None for a run in which nobody answered at two lengths."""
    told = [each for each in growth(analysis) if each.exponents or each.memory is not None]
    if not told:
        return None
    tables = (time_table(analysis.plan, told), memory_table(analysis.plan, told))
    return Section(
        id="growth",
        heading="How time and memory grow",
        sentences=tuple(sentences(told)),
        charts=exponent_charts(analysis.plan, told),
        tables=tuple(each for each in tables if each.rows),
    )


def sentences(told: Sequence[Growth]) -> list[str]:
    """What the intervals, the lengths held out and the bytes support."""
    said = (
        _near(told, "the length", [each for each in told if _is_below(each)], "below"),
        _near(told, "its square", [each for each in told if _is_above(each)], "above"),
        _undecided(told),
        _held_out(told),
        _polynomials(told),
        _ran_out(told),
    )
    return [sentence for sentence in said if sentence]


def _is_below(told: Growth) -> bool:
    high = told.exponents[-1].high if told.exponents else None
    return high is not None and high < BETWEEN


def _is_above(told: Growth) -> bool:
    low = told.exponents[-1].low if told.exponents else None
    return low is not None and low > BETWEEN


def _near(told: Sequence[Growth], what: str, own: Sequence[Growth], side: str) -> str:
    if not own:
        return ""
    return (
        f"Between the two longest lengths, time grows nearer to {what} for {_names(told, own)}: "
        f"the whole interval of the exponent lies {side} {BETWEEN:g}."
    )


def _names(told: Iterable[Growth], own: Iterable[Growth]) -> str:
    """Each implementation, with how many of its series where that is not all of them."""
    every = Counter(each.line.implementation for each in told if each.exponents)
    found = Counter(each.line.implementation for each in own)
    return ", ".join(
        words.abbreviated(name)
        + ("" if count == every[name] else f" (in {count} of {every[name]} series)")
        for name, count in found.items()
    )


def _undecided(told: Iterable[Growth]) -> str:
    """How many exponents at the longest lengths are on neither side, and why."""
    own = [each for each in told if each.exponents]
    without = sum(each.exponents[-1].low is None for each in own)
    open_ = sum(not _is_below(each) and not _is_above(each) for each in own) - without
    parts = (
        open_ and f"the interval of {open_} holds {BETWEEN:g}",
        without and f"{without} {'has' if without == 1 else 'have'} none, as after one session",
    )
    said = ", ".join(part for part in parts if part)
    return f"Of the exponents at the longest lengths, {len(own)} in all, {said}." if said else ""


def _held_out(told: Iterable[Growth]) -> str:
    found = Counter(each.model.verdict for each in told if isinstance(each.model, Model))
    if not found:
        return ""
    wide = found["too wide"]
    return (
        f"The longest lengths were held out and foretold from the shorter ones, with 95 % bounds: "
        f"{words.counted(found['hit'], 'hit')}, {found['miss']} missed"
        + (f"; {wide} had bounds too wide to tell." if wide else ".")
    )


def _polynomials(told: Iterable[Growth]) -> str:
    known = [each.memory for each in told if each.memory is not None]
    if not known:
        return ""
    alone = [each.pieces[0] for each in known if len(each.pieces) == 1]
    whole = [each for each in alone if each.polynomial is not None]
    unsure = sum(each.is_unchecked for each in whole)
    return (
        f"The bytes of {len(whole)} of {len(known)} series are one polynomial in the length, "
        "exactly" + (f"; {unsure} of these from three lengths, unchecked." if unsure else ".")
    )


def _ran_out(told: Iterable[Growth]) -> str:
    """Whether what ran out of memory was forecast to."""
    tried = [each.agrees for one in told if one.memory is not None for each in one.memory.tried]
    ran = [agrees for agrees in tried if agrees is not None]
    if not ran:
        return ""
    return (
        f"Memory ran out on {words.counted(len(ran), 'problem')}; the bytes of the shorter ones "
        f"foretell it for {sum(ran)}."
    )
