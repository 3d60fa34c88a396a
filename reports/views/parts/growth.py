"""How time and memory grow: sentences, charts of exponents, and two tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from reports.analysis.growth.growth import Growth, growth
from reports.analysis.growth.models import Model
from reports.analysis.run_analysis import Analysis
from reports.views.charts.exponents import exponent_charts
from reports.views.growth_tables import memory_table, time_table
from reports.views.sections import Section
from reports.views.text import abbreviated, counted

ORDER: Final = 1
BETWEEN: Final = 1.5
"""An exponent below it is nearer to linear growth, above it to quadratic growth."""


def section(analysis: Analysis) -> Section | None:
    """How time and memory grow; None where no implementation agrees at two lengths."""
    found = [each for each in growth(analysis) if each.exponents or each.memory is not None]
    if not found:
        return None
    tables = (time_table(analysis.plan, found), memory_table(analysis.plan, found))
    return Section(
        id="growth",
        heading="How time and memory grow",
        sentences=tuple(sentences(found)),
        charts=exponent_charts(analysis.plan, found),
        tables=tuple(each for each in tables if each.rows),
    )


def sentences(found: Sequence[Growth]) -> list[str]:
    """What exponents, held-out lengths and bytes show."""
    said = (
        _near(found, "linear", [each for each in found if _is_below(each)], "below"),
        _near(found, "quadratic", [each for each in found if _is_above(each)], "above"),
        _undecided(found),
        _held_out(found),
        _polynomials(found),
        _out_of_memory(found),
    )
    return [sentence for sentence in said if sentence]


def _is_below(each: Growth) -> bool:
    high = each.exponents[-1].high if each.exponents else None
    return high is not None and high < BETWEEN


def _is_above(each: Growth) -> bool:
    low = each.exponents[-1].low if each.exponents else None
    return low is not None and low > BETWEEN


def _near(found: Sequence[Growth], growth: str, own: Sequence[Growth], side: str) -> str:
    if not own:
        return ""
    return (
        f"Between the two longest lengths, growth of time is nearer to {growth} for "
        f"{_names(found, own)}: the whole interval of the exponent lies {side} {BETWEEN:g}."
    )


def _names(found: Iterable[Growth], own: Iterable[Growth]) -> str:
    """Each implementation, with the number of its series where that is not all of them."""
    every = Counter(each.series.implementation for each in found if each.exponents)
    counts = Counter(each.series.implementation for each in own)
    return ", ".join(
        abbreviated(name)
        + ("" if count == every[name] else f" (in {count} of {every[name]} series)")
        for name, count in counts.items()
    )


def _undecided(found: Iterable[Growth]) -> str:
    """The exponents at the longest lengths that are on neither side, and why."""
    own = [each for each in found if each.exponents]
    without = sum(each.exponents[-1].low is None for each in own)
    open_ = sum(not _is_below(each) and not _is_above(each) for each in own) - without
    parts = (
        f"the interval of {open_} contains {BETWEEN:g}" if open_ else "",
        f"{without} {'has' if without == 1 else 'have'} no interval" if without else "",
    )
    said = ", ".join(part for part in parts if part)
    return f"Of the {counted(len(own), 'exponent')} at the longest lengths, {said}." if said else ""


def _held_out(found: Iterable[Growth]) -> str:
    verdicts = Counter(each.model.verdict for each in found if isinstance(each.model, Model))
    if not verdicts:
        return ""
    wide = verdicts["too wide"]
    return (
        f"The longest lengths were held out and predicted from the shorter ones, with 95 % bounds: "
        f"{counted(verdicts['hit'], 'hit')}, {verdicts['miss']} missed"
        + (f"; {wide} had bounds too wide to tell." if wide else ".")
    )


def _polynomials(found: Iterable[Growth]) -> str:
    known = [each.memory for each in found if each.memory is not None]
    if not known:
        return ""
    single = [each for each in known if len(each.pieces) == 1]
    whole = [each for each in single if each.pieces[0].polynomial is not None]
    unsure = sum(each.is_unchecked for each in whole)
    return (
        f"The bytes of {len(whole)} of {len(known)} series are one polynomial in the length, "
        "exactly" + (f"; {unsure} of these from three lengths, unchecked." if unsure else ".")
    )


def _out_of_memory(found: Iterable[Growth]) -> str:
    """Whether the forecasts predicted the problems that ran out of memory."""
    tried = [each.agrees for one in found if one.memory is not None for each in one.memory.tried]
    ran = [agrees for agrees in tried if agrees is not None]
    if not ran:
        return ""
    return (
        f"{counted(len(ran), 'problem')} ran out of memory; the bytes of the shorter ones "
        f"predict it for {sum(ran)}."
    )
