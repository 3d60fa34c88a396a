"""Steps of models in words: the model and the step, the share of attention, and what is saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.in_models import InModelRow, Part
from reports.views.brief import BASELINE
from reports.views.model_titles import titles
from reports.views.numbers import known, percent
from reports.views.text import abbreviated
from reports.views.verdicts import verdict

HEADING: Final = "In models"
SAVES: Final = "What it saves"
SHARE: Final = "share of attention"
BOUND: Final = "at most"
BY_ATTENTION: Final = "by its attention"
MEASURED: Final = "measured [95 %]"
BESIDE: Final = "beside attention"
MOST_SENTENCES: Final = 8
"""Sentences of one kind; more are counted."""
NOTE: Final = (
    "A step of a model is timed as a whole, without clocks inside. The share of attention is from "
    "steps of their own, with clocks at both ends of each attention call; in training the backward "
    "pass of attention is included."
)
HOW: Final = (
    "At most: what a free attention saves of the baseline's step (Amdahl's law), and the speed-up "
    "that this is. By its attention: attention of the baseline minus its own, over the step of the "
    "baseline. In parentheses is the spread over sessions, where it has one."
)
_LEAST: Final = -10.0
"""Ends of savings below it are shown as less: their sessions differ too much to tell."""


def sentences(rows: Sequence[InModelRow]) -> list[str]:
    """The share of attention and the best saving of each step; then savings beyond attention."""
    named = titles(row.problem for row in rows)
    steps: dict[tuple[Problem, int], list[InModelRow]] = {}
    for row in rows:
        steps.setdefault((row.problem, row.threads), []).append(row)
    found = [_of_step(own, named) for own in steps.values()]
    return [*_some(list(filter(None, found))), *outside(rows)]


def outside(rows: Sequence[InModelRow]) -> list[str]:
    """One sentence for each measured saving that the times of attention do not explain."""
    named = titles(row.problem for row in rows)
    return list(_some([_outside(row, named) for row in rows if row.beside]))


def part(found: Part | None) -> str:
    """A part of a step: 23 % (21 to 25); without its spread where it has none."""
    if found is None:
        return ""
    ends = [_digits(found.low), _digits(found.high)]
    return percent(found.value) + (f" ({ends[0]} to {ends[1]})" if ends[0] != ends[1] else "")


def bound(row: InModelRow) -> str:
    """What a free attention saves, and the speed-up that this is: 23 %, 1.30x."""
    if row.free is None:
        return ""
    left = 1 - row.free.value
    return ", ".join(filter(None, (percent(row.free.value), f"{1 / left:.2f}x" if left else "")))


def saved(row: InModelRow) -> str:
    """The measured saving with its interval: 12 % [10, 14]."""
    if not known(row.saved):
        return ""
    ends = row.saved_in
    interval = f" [{_digits(ends[0])}, {_digits(ends[1])}]" if ends else ""
    return f"{percent(row.saved)}{interval}"


def _digits(value: float) -> str:
    """A part as percent without the sign; one of which more than ten times is lost as <-1000."""
    return percent(value).removesuffix(" %") if value >= _LEAST else f"<{100 * _LEAST:.0f}"


def beside(row: InModelRow) -> str:
    """Where the measured saving lies: within, more or less; empty where that is not known."""
    if row.by_attention is None or row.saved_in is None or row.measured.sessions < 2:
        return ""
    return row.beside or "within"


def judged(row: InModelRow) -> str:
    """The verdict in words; that it is the baseline."""
    return BASELINE if row.judged is None else verdict(row.judged)


def _of_step(own: Sequence[InModelRow], named: Mapping[Problem, str]) -> str:
    """One step: the share of attention with the baseline, and the largest saving; empty without."""
    base, step_of = own[0], named[own[0].problem]
    if base.free is None:
        return ""
    share = f"attention is {part(base.free)} of the step with {_short(base.baseline)}"
    said = f"{step_of}: {share}, the most to save"
    faster = [row for row in own if row.judged and verdict(row.judged) == "faster"]
    if not faster:
        others = len(own) > 1
        return f"{said}{'; no other is shown to save time' if others else ''}."
    best = max(faster, key=lambda row: row.saved or 0.0)
    return f"{said}; {_short(best.implementation)} saves {saved(best)} of it."


def _outside(row: InModelRow, named: Mapping[Problem, str]) -> str:
    rest = "less" if row.beside == "more" else "more"
    return (
        f"{named[row.problem]}: the measured saving by {_short(row.implementation)}, {saved(row)}, "
        f"is {row.beside} than the {part(row.by_attention)} by its attention: outside its "
        f"attention calls the step takes {rest} time than with {_short(row.baseline)}."
    )


def _some(found: Sequence[str]) -> Iterator[str]:
    yield from found[:MOST_SENTENCES]
    left = len(found) - MOST_SENTENCES
    if left > 0:
        yield f"{left} more: in the table."


def _short(name: str) -> str:
    return abbreviated(name)
