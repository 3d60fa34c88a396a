"""Tables of differences: a row for each piece, what is left, and the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.analysis.profile.differences import Amount, MemoryDifference, TimeDifference
from reports.views.numbers import mebibytes, milliseconds, percent
from reports.views.profile import memory_difference, time_difference
from reports.views.profile.pieces import MOST_IN_TABLE, lines, operators, signed
from reports.views.sections import Row, Table, Value
from reports.views.text import abbreviated
from reports.views.values import figure

_LONGEST_NAME = 24
"""Characters of an implementation's name in the head of a table."""


def of_time(found: TimeDifference) -> Table:
    """The pieces of a difference in time."""
    whole = found.measured_ms if found.is_shown else None
    rows = [
        _row(time_difference.name(found, each), each.own, each.other, "ms", whole)
        for each in found.pieces
    ]
    rest = found.unexplained_ms
    rows += [
        _whole(
            "all of the profiled call", found.own.call_ns / 1e6, found.other.call_ns / 1e6, "ms"
        ),
        _cells(time_difference.UNEXPLAINED, None, None, rest, "ms", whole),
        _whole(
            "measured without the profiler", found.own.measured_ms, found.other.measured_ms, "ms"
        ),
    ]
    return _table(
        f"Time by part, on {found.own.profile.problem}. Parts are of one profiled call of each.",
        (found.own.profile.implementation, found.other.profile.implementation),
        "ms",
        rows,
    )


def of_memory(found: MemoryDifference) -> Table:
    """The pieces of a difference in memory at the peak."""
    whole = float(found.peaks[0] - found.peaks[1]) or None
    rows = [
        _row(memory_difference.name(each), each.own, each.other, "MiB", whole)
        for each in found.pieces
    ]
    if found.shared_bytes:
        rows.append(_whole(memory_difference.SHARED, found.shared_bytes, found.shared_bytes, "MiB"))
    rows.append(_whole("peak", *found.peaks, "MiB"))
    return _table(
        f"Memory held at the peak of each, on {found.own.problem}. The parts add up to the peaks, "
        "to the byte.",
        (found.own.implementation, found.other.implementation),
        "MiB",
        rows,
    )


def _table(caption: str, names: tuple[str, str], unit: str, rows: Sequence[Row]) -> Table:
    own, other = (f"{abbreviated(name, _LONGEST_NAME)} {unit}" for name in names)
    low = unit.lower()
    return Table(
        caption=caption,
        head=("part", own, other, f"difference {unit}", "share of it", "operators", "source lines"),
        rows=tuple(rows),
        shown=7,
        names=(
            "part", f"own_{low}", f"other_{low}", f"difference_{low}", "share", "operators",
            "source_lines",
        ),
    )  # fmt: skip


def _row(
    name: str, own: Iterable[Amount], other: Iterable[Amount], unit: str, whole: float | None
) -> Row:
    own, other = list(own), list(other)
    values = [sum(each.value for each in side) for side in (own, other)]
    both = sorted((*own, *other), key=lambda each: -each.value)
    return _cells(
        name,
        *values,
        values[0] - values[1],
        unit,
        whole,
        ", ".join(operators(both, MOST_IN_TABLE)),
        ", ".join(lines(both, MOST_IN_TABLE)),
    )


def _whole(name: str, own: float, other: float, unit: str) -> Row:
    return _cells(name, own, other, own - other, unit, None)


def _cells(  # noqa: PLR0913 - the cells of a row
    name: str,
    own: float | None,
    other: float | None,
    difference: float,
    unit: str,
    whole: float | None,
    operator_names: str = "",
    source_lines: str = "",
) -> Row:
    text = milliseconds if unit == "ms" else mebibytes
    share = None if whole is None else difference / whole
    return Row(
        (
            Value(name),
            figure(own, text(own), ""),
            figure(other, text(other), ""),
            figure(difference, signed(difference, text)),
            figure(share, percent(share), ""),
            Value(operator_names),
            Value(source_lines),
        )
    )
