"""A waterfall: bars from one value to another one, each from where the bar before it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from reports.views.charts.chart import SPANS, Chart, Series
from reports.views.charts.palette import DARK, LIGHT, NEUTRAL, Look

Kind = Literal["value", "more", "less", "unexplained"]
_ORANGE, _GREEN = 1, 2
_LOOKS: Final[dict[Kind, Look]] = {
    "value": Look(*NEUTRAL[0], "square", "solid"),
    "more": Look(LIGHT[_ORANGE], DARK[_ORANGE], "square", "solid"),
    "less": Look(LIGHT[_GREEN], DARK[_GREEN], "square", "solid"),
    "unexplained": Look(*NEUTRAL[1], "square", "solid"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A bar: the value at either end of the waterfall, or a difference.

    label  beside it, in one or two lines
    """

    label: str
    amount: float
    hover: str
    is_value: bool = False
    is_unexplained: bool = False

    @property
    def kind(self) -> Kind:
        """The meaning of its colour."""
        if self.is_value:
            return "value"
        if self.is_unexplained:
            return "unexplained"
        return "more" if self.amount > 0 else "less"


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of a waterfall, as in a Chart; `names` are those of the kinds of bars."""

    key: str
    title: str
    label: str
    x_title: str
    note: str
    bars: str
    alt: str
    names: dict[Kind, str]


def waterfall(steps: Sequence[Step], words: Words, panel: str) -> Chart:
    """The chart of steps: the first and the last one are values, the others lead between them."""
    return Chart(
        key=words.key,
        panel=panel,
        title=words.title,
        label=words.label,
        common="",
        mask="",
        x_title=words.x_title,
        y_title="",
        log_x=False,
        log_y=False,
        series=tuple(_series(steps, words)),
        note=words.note,
        alt=words.alt,
        ticks=False,
        bars=words.bars,
        rows=tuple(each.label for each in steps),
    )


def _series(steps: Sequence[Step], words: Words) -> Iterator[Series]:
    ends = list(_ends(steps))
    for kind, name in words.names.items():
        places = [place for place, each in enumerate(steps) if each.kind == kind]
        if places:
            yield Series(
                name=name,
                x=tuple(ends[place][1] for place in places),
                y=tuple(places),
                low=tuple(min(ends[place]) for place in places),
                high=tuple(max(ends[place]) for place in places),
                hover=tuple(steps[place].hover for place in places),
                look=_LOOKS[kind],
                drawn=SPANS,
            )


def _ends(steps: Sequence[Step]) -> Iterator[tuple[float, float]]:
    """The two ends of each bar."""
    at = 0.0
    for step in steps:
        start, at = (0.0, step.amount) if step.is_value else (at, at + step.amount)
        yield start, at
