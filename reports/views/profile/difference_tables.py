"""Tables of differences: a row for each piece, what is left, and the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reports.analysis.profile.differences import MemoryDifference, Piece, TimeDifference, merged
from reports.views.numbers import mebibytes, milliseconds, percent
from reports.views.profile import memory_difference, time_difference
from reports.views.profile.pieces import MOST_IN_TABLE, lines, operators, signed
from reports.views.sections import Row, Table, Value
from reports.views.text import abbreviated, counted
from reports.views.values import figure

_LONGEST_NAME: Final = 24
"""Characters of an implementation's name in the head of a table."""
_MOST_ROWS: Final = 100
_LEAST: Final = 0.005
"""The share of the largest piece below which pieces are one row."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Makes the rows of a table.

    whole  the difference that shares are of; None: no shares
    name   of a piece
    """

    text: Callable[[float | None], str]
    whole: float | None
    name: Callable[[Piece], str]

    def of(self, pieces: Sequence[Piece]) -> Iterator[Row]:
        """A row for each piece; the smallest are one."""
        large, small = merged(pieces, _LEAST, _MOST_ROWS)
        for each in large:
            both = sorted((*each.own, *each.other), key=lambda amount: -amount.value)
            names = ", ".join(operators(both, MOST_IN_TABLE))
            at = ", ".join(lines(both, MOST_IN_TABLE))
            yield self.row(self.name(each), each.own_value, each.other_value, names, at)
        if small:
            yield self.row(
                counted(len(small), "smaller part"),
                sum(each.own_value for each in small),
                sum(each.other_value for each in small),
            )

    def row(self, name: str, own: float, other: float, names: str = "", at: str = "") -> Row:
        """A row of two values and their difference."""
        cells = (self._value(own), self._value(other), *self._difference(own - other))
        return Row((Value(name), *cells, Value(names), Value(at)))

    def rest(self, name: str, difference: float) -> Row:
        """A row of a difference alone."""
        nothing = (Value(""), Value(""))
        return Row((Value(name), *nothing, *self._difference(difference), *nothing))

    def _value(self, value: float) -> Value:
        return figure(value, self.text(value))

    def _difference(self, value: float) -> tuple[Value, Value]:
        share = value / self.whole if self.whole else None
        return figure(value, signed(value, self.text)), figure(share, percent(share), "-")


def of_time(found: TimeDifference) -> Table:
    """The pieces of a difference in time."""
    whole = found.measured_ms if found.is_shown else None
    rows = _Rows(milliseconds, whole, lambda piece: time_difference.name(found, piece))
    own, other = found.own, found.other
    return _table(
        f"Time by part, on {own.profile.problem}. The parts are of one profiled call of each.",
        (own.profile.implementation, other.profile.implementation),
        "ms",
        (
            *rows.of(found.pieces),
            rows.row("all of the profiled call", own.call_ns / 1e6, other.call_ns / 1e6),
            rows.rest(time_difference.UNEXPLAINED, found.unexplained_ms),
            rows.row("measured without the profiler", own.measured_ms, other.measured_ms),
        ),
    )


def of_memory(found: MemoryDifference) -> Table:
    """The pieces of a difference in memory at the peak."""
    whole = float(found.peaks[0] - found.peaks[1])
    rows = _Rows(mebibytes, whole, memory_difference.name)
    shared = found.shared_bytes
    return _table(
        f"Memory held at the peak of each, on {found.own.problem}. The parts add up to the peaks, "
        "to the byte.",
        (found.own.implementation, found.other.implementation),
        "MiB",
        (
            *rows.of(found.pieces),
            *([rows.row(memory_difference.SHARED, shared, shared)] if shared else []),
            rows.row("peak", *found.peaks),
        ),
    )


def _table(caption: str, names: tuple[str, str], unit: str, rows: tuple[Row, ...]) -> Table:
    own, other = (f"{abbreviated(name, _LONGEST_NAME)} {unit}" for name in names)
    head = ("part", own, other, f"difference {unit}", "share of it", "operators", "source lines")
    stored = "bytes" if unit == "MiB" else unit
    numbers = (f"own_{stored}", f"other_{stored}", f"difference_{stored}")
    names_of_columns = ("part", *numbers, "share", "operators", "source_lines")
    return Table(caption, head, rows, shown=len(head), names=names_of_columns)
