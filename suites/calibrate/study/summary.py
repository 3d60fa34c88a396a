"""What the turns come to: a row for each method, as a table and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from statistics import median, quantiles
from typing import Any, Final, Literal

from rich import box
from rich.console import Console
from rich.table import Table

from suites.calibrate.study.methods import OURS
from suites.calibrate.study.schedule import Turn

HEADINGS: Final = (
    "method",
    "pairs",
    "wall s",
    "error, median %",
    "error, 95th %",
    "false alarms",
    "power",
    "error / ours",
)
_TOOLS: Final = ("pytest-benchmark", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well one method did over all its turns.

    wall_s         all that its turns took
    median_error   of the ratios of identical and slowed pairs together, relative
    high_error     the 95th percentile of the same
    false_alarms   identical pairs that it decided were different, of so many `identical`
    found          slowed pairs that it decided were slower, of so many `slowed`
    against_ours   its median error over this program's
    """

    method: str
    wall_s: float
    median_error: float
    high_error: float
    false_alarms: int
    identical: int
    found: int
    slowed: int
    against_ours: float


def figures(turns: Sequence[Turn]) -> list[Figures]:
    """A row for each method, in the order of their first turns, ours first."""
    names = sorted(dict.fromkeys(turn.method for turn in turns), key=lambda name: name != OURS)
    ours = median(_errors(turns, OURS))
    return [_figures(turns, name, ours) for name in names]


def table(rows: Sequence[Figures]) -> str:
    """The rows for a terminal."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    cells = [_cells(row) for row in rows]
    for heading, column in zip(HEADINGS, zip(*cells, strict=True), strict=True):
        justify: Literal["left", "right"] = "left" if heading == HEADINGS[0] else "right"
        made.add_column(heading, justify=justify, min_width=max(map(len, column)))
    for each in cells:
        made.add_row(*each)
    return "".join(segment.text for segment in Console().render(made))


def markdown(rows: Sequence[Figures]) -> str:
    """The rows as a Markdown table."""
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *map(_cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def about(machine: Mapping[str, Any], began: datetime) -> str:
    """One line: when, on what, with which versions."""
    versions = {
        "attnbench": machine["attnbench"],
        "python": machine["python"],
        "torch": machine["versions"]["torch"],
        **{name: metadata.version(name) for name in _TOOLS},
    }
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    where = f"{machine['cpu']}, {machine['cores']} cores, {threads}, {machine['os']}"
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{began.astimezone(UTC):%Y-%m-%d %H:%M} UTC; {where}; {said}\n"


def as_data(turns: Sequence[Turn], machine: Mapping[str, Any], began: datetime) -> dict[str, Any]:
    """Everything that was measured, with every ratio."""
    return {
        "began": began.isoformat(timespec="seconds"),
        "machine": dict(machine),
        "turns": [asdict(turn) for turn in turns],
    }


def _figures(turns: Sequence[Turn], name: str, ours: float) -> Figures:
    own = [turn for turn in turns if turn.method == name]
    errors = _errors(turns, name)
    identical = [p.decided for turn in own for p in turn.pairs if p.kind == "identical"]
    slowed = [p.decided for turn in own for p in turn.pairs if p.kind == "slowed"]
    return Figures(
        method=name,
        wall_s=sum(turn.wall_s for turn in own),
        median_error=median(errors),
        high_error=quantiles(errors, n=20, method="inclusive")[-1],
        false_alarms=sum(word != "no difference" for word in identical),
        identical=len(identical),
        found=slowed.count("slower"),
        slowed=len(slowed),
        against_ours=median(errors) / ours if ours else math.inf,
    )


def _errors(turns: Sequence[Turn], name: str) -> list[float]:
    return [pair.error for turn in turns if turn.method == name for pair in turn.pairs]


def _cells(row: Figures) -> tuple[str, ...]:
    return (
        row.method,
        str(row.identical + row.slowed),
        f"{row.wall_s:.0f}",
        f"{100 * row.median_error:.2f}",
        f"{100 * row.high_error:.2f}",
        f"{row.false_alarms} of {row.identical}",
        f"{row.found} of {row.slowed}",
        f"{row.against_ours:.1f}",
    )
