"""Typed rows as columns: one flat dictionary of plain values a row."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from impls.interface import Problem

PROBLEM_COLUMNS: Final = tuple(
    "pass" if name == "training" else name for name in Problem().fields()
)
"""The columns of a problem: its fields, `training` as `pass`."""


def problem_columns(problem: Problem) -> dict[str, Any]:
    """A problem as columns; `pass` is forward or training."""
    values = problem.fields()
    training = values.pop("training")
    found = {**values, "pass": "training" if training else "forward"}
    return {name: found[name] for name in PROBLEM_COLUMNS}


def columns(row: Any) -> dict[str, Any]:
    """The fields of a row by name; a problem as its text, an inner dataclass as its own fields."""
    found: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if isinstance(value, Problem):
            found[field.name] = str(value)
        elif hasattr(value, "__dataclass_fields__"):
            found |= columns(value)
        else:
            found[field.name] = value
    return found
