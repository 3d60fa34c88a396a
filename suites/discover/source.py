"""Limits as Python source, to paste above a function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from impls.interface import Limits


def non_default_fields(limits: Limits) -> dict[str, Any]:
    """The fields that differ from the defaults of Limits, in its order."""
    defaults = Limits()
    values = {each.name: getattr(limits, each.name) for each in fields(limits)}
    return {name: value for name, value in values.items() if value != getattr(defaults, name)}


def decorator_source(limits: Iterable[Limits]) -> str:
    """Python source to paste above a function: the import and the decorator."""
    lines = [line for each in limits for line in _call(each)]
    lines[-1] = lines[-1].removesuffix(",") if lines.count("Limits(") < 2 else lines[-1]
    above = ("from impls.interface import Limits, implementation", "", "", "@implementation(")
    return "\n".join([*above, *(f"    {line}" for line in lines), ")"])


def _call(limits: Limits) -> Iterator[str]:
    """The source lines of these limits."""
    values = non_default_fields(limits)
    if not values:
        yield "Limits(),"
        return
    yield "Limits("
    for name, value in values.items():
        yield from (f"    {line}" for line in _argument(name, value))
    yield "),"


def _argument(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, tuple):
        yield f"{name}={value!r},"
        return
    words = [f'"{word}"' if isinstance(word, str) else repr(word) for word in value]
    line = f"{name}=({', '.join(words)}{',' if len(words) == 1 else ''}),"
    if len(line) <= 68:
        yield line
        return
    yield f"{name}=("
    yield from (f"    {word}," for word in words)
    yield "),"
