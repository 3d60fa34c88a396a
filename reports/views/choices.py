"""The fastest choices of implementations, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports.analysis.choices import Choice, Choices, Rival, choices
from reports.analysis.run_analysis import Analysis
from reports.views.numbers import ratio, ratio_in
from reports.views.text import LONGEST_TEXT, abbreviated
from suites.stats.intervals import Unsettled

DEFAULT: Final = "its default"


def sentences(analysis: Analysis) -> list[str]:
    """The fastest choice on each problem and implementation with times of several choices."""
    return list(map(_sentence, choices(analysis)))


def some(analysis: Analysis, most: int) -> list[str]:
    """The first of the sentences, then how many more there are."""
    every = sentences(analysis)
    if len(every) <= most:
        return every
    return [*every[:most], f"Choices on {len(every) - most} more: they are on the page."]


def _sentence(found: Choices) -> str:
    where = f"{found.implementation} on {found.problem}"
    if found.best is None:
        return f"{where}: every choice is slower than another one."
    return abbreviated(f"{where}: {_beside(found.best, found.rivals)}.", LONGEST_TEXT)


def _beside(best: Choice, rivals: Sequence[Rival]) -> str:
    """The best choice beside the next, and beside all that are not shown to be slower."""
    second = rivals[0]
    name, other = _name(best), _name(second.choice)
    if isinstance(second.ratio, Unsettled):
        return _unjudged(best, second, second.ratio)
    found = second.ratio
    interval = ratio_in(found.estimate, found.low, found.high)
    unsure = [each for each in rivals if not each.is_slower]
    if not unsure:
        return f"{name} is best; {other} takes {interval} times as long"
    if second.is_slower:
        names = ", ".join(_name(each.choice) for each in unsure)
        return f"{name} is not distinguished from {names}; {other} takes {interval} times as long"
    more = f", nor {len(unsure) - 1} more" if len(unsure) > 1 else ""
    return f"{name} and {other} are not distinguished ({interval}){more}"


def _unjudged(best: Choice, second: Rival, why: Unsettled) -> str:
    said = f"{_name(best)} and {_name(second.choice)} were not judged ({why.reason})"
    times = ratio(second.choice.median_ms / best.median_ms) if best.median_ms else ""
    return f"{said}; their medians differ by a factor of {times}" if times else said


def _name(choice: Choice) -> str:
    return "; ".join(choice.settings) or DEFAULT
