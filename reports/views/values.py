"""Cells of tables that are sorted by a number."""

from __future__ import annotations

from typing import Final

from reports.views.sections import Value

NOT_RECORDED: Final = "not recorded"


def whole(count: int | None, absent: str = NOT_RECORDED) -> Value:
    """A count."""
    return Value(absent if count is None else str(count), order(count))


def figure(value: float | None, text: str, absent: str = NOT_RECORDED) -> Value:
    """The text of a number, sorted by the number; `absent` where the text is empty."""
    return Value(text or absent, order(value))


def order(value: float | None) -> float:
    """The number a cell is sorted by; NaN where nothing was measured."""
    return float("nan") if value is None else float(value)
