"""The table of the study: foretold and obtained savings, and how often they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from suites.calibrate.savings.foretold import Change, Figure

HEADINGS: Final = ("script", "problem", "instead", "foretold ms", "obtained ms", "within", "width")
WIDEST: Final = 0.2
"""The largest half-width of a foretold interval, as a part of the time in attention."""
LEAST_WITHIN: Final = 0.9


@dataclass(frozen=True, slots=True)
class Row:
    """A change, and what it saved."""

    change: Change
    obtained: Figure

    @property
    def is_within(self) -> bool:
        """Whether the obtained saving lies in the foretold interval."""
        return self.change.saves.low <= self.obtained.ms <= self.change.saves.high

    @property
    def half_width(self) -> float:
        """Of the foretold interval, as a part of the time in attention."""
        return (self.change.saves.high - self.change.saves.low) / 2 / self.change.attention

    @property
    def misses_by(self) -> float:
        """How far outside the interval the obtained saving is, as a part of that time."""
        saves, ms = self.change.saves, self.obtained.ms
        return max(saves.low - ms, ms - saves.high, 0.0) / self.change.attention


def is_proven(rows: Sequence[Row]) -> bool:
    """Whether enough savings lie in their intervals, and no interval is too wide."""
    within = sum(row.is_within for row in rows)
    return within >= LEAST_WITHIN * len(rows) and all(row.half_width <= WIDEST for row in rows)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, and two lines of results."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in padded)
    within, wide = sum(row.is_within for row in rows), sum(row.half_width > WIDEST for row in rows)
    widest = max(row.half_width for row in rows)
    return (
        f"{text}\n{within} of {len(rows)} obtained savings lie in the foretold 95 % interval.\n"
        f"The widest interval has a half-width of {widest:.0%} of the time in attention; {wide} "
        f"have more than {WIDEST:.0%}.\n"
    )


def as_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every row as plain data."""
    return [
        {
            **asdict(row.change),
            "obtained": asdict(row.obtained),
            "within": row.is_within,
            "half_width": row.half_width,
            "misses_by": row.misses_by,
        }
        for row in rows
    ]


def _cells(row: Row) -> tuple[str, ...]:
    problems = row.change.problems
    more = f" and {len(problems) - 1} lengths more" if len(problems) > 1 else ""
    word = "yes" if row.is_within else f"no, by {row.misses_by:.1%}"
    return (
        row.change.script,
        f"{problems[0]}{more}",
        row.change.implementation,
        _figure(row.change.saves),
        _figure(row.obtained),
        word,
        f"{row.half_width:.1%}",
    )


def _figure(of: Figure) -> str:
    return f"{of.ms:.2f} [{of.low:.2f}, {of.high:.2f}]"
