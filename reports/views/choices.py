"""The fastest choices of implementations, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.choices import Choice, Choices, Rival, choices
from reports.analysis.run_analysis import Analysis
from reports.views.numbers import ratio, ratio_in, times_of
from reports.views.text import LONGEST_TEXT, abbreviated

DEFAULT: Final = "its default"


def sentences(analysis: Analysis) -> list[str]:
    """The fastest choice on each problem and implementation with times of several choices."""
    return list(map(_sentence, choices(analysis)))


def some(analysis: Analysis, most: int) -> list[str]:
    """How often each choice is best, then the sentences of the largest problems; more are counted.

    How often, for implementations with choices on several problems.
    """
    every = sorted(choices(analysis), key=lambda found: found.problem.flops, reverse=True)
    said = [*_often(every), *map(_sentence, every[:most])]
    left = len(every) - most
    return [*said, f"Choices on {left} more: they are on the page."] if left > 0 else said


def _often(every: Sequence[Choices]) -> Iterator[str]:
    """`chunked: block_q=64 is best on 9 of 11 problems, block_q=128 on 1.`."""
    names = Counter(found.implementation for found in every)
    for name, count in names.items():
        own = [found for found in every if found.implementation == name]
        wins = Counter(_name(found.best) for found in own if found.best and _is_best(found))
        said = [f"{best} on {times}" for best, times in wins.most_common()]
        if count > 1 and said:
            first = said[0].replace(" on ", " is best on ", 1)
            parts = [f"{first} of {count} problems", *said[1:]]
            yield abbreviated(f"{name}: {', '.join(parts)}.", LONGEST_TEXT)


def _is_best(found: Choices) -> bool:
    """Whether every other choice is slower."""
    return all(each.is_slower for each in found.rivals)


def _sentence(found: Choices) -> str:
    where = f"{found.implementation} on {found.problem}"
    if found.best is None:
        return f"{where}: every choice is slower than another one."
    return abbreviated(f"{where}: {_beside(found.best, found.rivals)}.", LONGEST_TEXT)


def _beside(best: Choice, rivals: Sequence[Rival]) -> str:
    """The best choice beside the next, and beside all that are not shown to be slower."""
    second = rivals[0]
    name, other = _name(best), _name(second.choice)
    found = second.judged
    if found.verdict == "not judged":
        return _unjudged(best, second)
    multiple = times_of(found.ratio, found.low, found.high, "as long")
    unsure = [each for each in rivals if not each.is_slower]
    if not unsure:
        return f"{name} is best; next is {other}, {multiple}"
    if second.is_slower:
        names = ", ".join(_name(each.choice) for each in unsure)
        return f"{name} is not distinguished from {names}; next is {other}, {multiple}"
    more = f", nor {len(unsure) - 1} more" if len(unsure) > 1 else ""
    interval = ratio_in(found.ratio, found.low, found.high)
    return f"{name} and {other} are not distinguished ({interval}){more}"


def _unjudged(best: Choice, second: Rival) -> str:
    why = "; ".join(second.judged.reasons)
    said = f"{_name(best)} and {_name(second.choice)} were not judged ({why})"
    times = ratio(second.choice.median_ms / best.median_ms) if best.median_ms else ""
    return f"{said}; their medians differ by a factor of {times}" if times else said


def _name(choice: Choice) -> str:
    return "; ".join(choice.settings) or DEFAULT
