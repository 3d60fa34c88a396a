"""Figures of the study: a row for each method, as a Markdown table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from statistics import median, quantiles
from typing import Any, Final

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
    """The figures of one method over all its turns.

    wall_s         wall time of its turns
    median_error   median relative error of the ratios of all pairs
    high_error     95th percentile of the same
    false_alarms   pairs decided as different, of the `identical` ones
    found          pairs decided as slower, of the `slowed` ones
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
    """A row for each method: this program first, then by first turn."""
    names = sorted(dict.fromkeys(turn.method for turn in turns), key=lambda name: name != OURS)
    ours = median(_errors(turns, OURS))
    return [_figures(turns, name, ours) for name in names]


def markdown(rows: Sequence[Figures]) -> str:
    """The rows as a Markdown table, readable in a terminal."""
    rule = ("---", *["---:"] * (len(HEADINGS) - 1))
    lines = [HEADINGS, rule, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        [cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    return "".join(f"| {' | '.join(cells)} |\n" for cells in padded)


def about(machine: Mapping[str, Any], began: datetime) -> str:
    """One line with date, machine and versions."""
    versions = {
        "attnbench": machine["attnbench"],
        "python": machine["python"],
        "torch": machine["versions"]["torch"],
        **{name: metadata.version(name) for name in _TOOLS},
    }
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    where = f"{machine['cpu']}, {machine['cores']} cores, {threads}, {machine['os']}"
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{began.astimezone(UTC):%Y-%m-%d %H:%M} UTC; {where}; {listed}\n"


def as_data(turns: Sequence[Turn], machine: Mapping[str, Any], began: datetime) -> dict[str, Any]:
    """All turns with every ratio, as plain data."""
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
