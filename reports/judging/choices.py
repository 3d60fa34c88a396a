"""Which choice of an implementation is best on each problem, and how far the next one is."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import Final

from reports import words
from reports.analysis import Analysis
from reports.judging.verdict_words import ratio, ratio_in
from reports.timings import session_ms
from suites.records.record import Record
from suites.stats.intervals import Interval, Unsettled, over_sessions
from suites.stats.pairing import pair

DEFAULT: Final = "its default"
_BRACKETS: Final = re.compile(r"\[([^]]*)\]")


def sentences(analysis: Analysis) -> list[str]:
    """For each problem and implementation of which several choices were timed, the best of them.

    With several numbers of threads, those with the most.
    """
    return [
        _sentence(name, problem, choices)
        for (problem, threads), found in analysis.timed.items()
        if threads == max(analysis.plan.threads)
        for name, choices in _chosen(found).items()
    ]


def some(analysis: Analysis, most: int) -> list[str]:
    """The first of the sentences, then how many more there are."""
    every = sentences(analysis)
    if len(every) <= most:
        return every
    return [*every[:most], f"Choices on {len(every) - most} more: they stand on the page."]


@dataclass(frozen=True, slots=True)
class _Choice:
    """A choice as it is set, block_q=64, and its records."""

    name: str
    timed: list[Record]

    @property
    def median_ms(self) -> float:
        return median(map(session_ms, self.timed))


def _chosen(found: dict[str, list[Record]]) -> dict[str, list[_Choice]]:
    """The choices of each implementation that has several, the fastest first."""
    choices: dict[str, list[_Choice]] = defaultdict(list)
    for name, own in found.items():
        setting = "; ".join(_BRACKETS.findall(name)) or DEFAULT
        choices[_BRACKETS.sub("", name)].append(_Choice(setting, own))
    several = {name: own for name, own in choices.items() if len(own) > 1}
    return {name: sorted(own, key=lambda choice: choice.median_ms) for name, own in several.items()}


def _sentence(name: str, problem: str, choices: list[_Choice]) -> str:
    """The fastest by its median; where pairs tell another to be faster, pairs decide."""
    for best in choices:
        others = [(other, _between(best, other)) for other in choices if other is not best]
        if not any(isinstance(found, Interval) and found.high < 1 for _, found in others):
            break
    else:
        return f"{name} on {problem}: every choice is slower than another one."
    return words.abbreviated(f"{name} on {problem}: {_told(best, others)}.", words.LONGEST_TEXT)


def _between(best: _Choice, second: _Choice) -> Interval | Unsettled:
    try:
        return over_sessions(pair(best.timed, second.timed).log_ratios)
    except ValueError as error:  # the clock stood still
        return Unsettled(str(error))


def _told(best: _Choice, others: list[tuple[_Choice, Interval | Unsettled]]) -> str:
    """How the best stands to the next, and to all that are not told apart from it."""
    second, found = others[0]
    unsure = [(other, each) for other, each in others if not _is_apart(each)]
    if isinstance(found, Unsettled):
        apart = f"{best.name} and {second.name} were not judged ({found.reason})"
        times = ratio(second.median_ms / best.median_ms) if best.median_ms else ""
        return f"{apart}; their medians differ by a factor of {times}" if times else apart
    interval = ratio_in(found.estimate, found.low, found.high)
    if not unsure:
        return f"{best.name} is best; {second.name} takes {interval} times as long"
    if _is_apart(found):
        names = ", ".join(other.name for other, _ in unsure)
        return (
            f"{best.name} cannot be told apart from {names}; "
            f"{second.name} takes {interval} times as long"
        )
    more = f", nor from {len(unsure) - 1} more" if len(unsure) > 1 else ""
    return f"{best.name} and {second.name} cannot be told apart ({interval}){more}"


def _is_apart(found: Interval | Unsettled) -> bool:
    return isinstance(found, Interval) and found.low > 1
