"""The one codec of plans, records, tasks and messages: dataclasses to JSON and back.

Reading is strict: a field of another type, a missing or an unknown field raises ValueError.
"""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, TypeAdapter
from pydantic import ValidationError as PydanticError

from impls.interface import Limits, Problem

STRICT: Final = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="constants")
"""`__pydantic_config__` of every dataclass that is stored or sent."""
_MOST: Final = 2**63
"""Tables hold 64-bit integers."""

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def message(cls: type[Value]) -> type[Value]:
    """A class as a frozen dataclass that the codec reads strictly."""
    cls.__pydantic_config__ = STRICT  # type: ignore[attr-defined] # read by pydantic
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def to_json(value: Any, kind: Any = None) -> str:
    """The JSON of a value.

    kind  its type where that is a union; the value's own class otherwise
    """
    return _adapter(kind or type(value)).dump_json(value).decode()


def to_data(value: Any, kind: Any = None) -> Any:
    """The value as plain data: dicts, lists, text and numbers."""
    return _adapter(kind or type(value)).dump_python(value, mode="json")


def from_json(kind: type[Value], text: str | bytes) -> Value:
    """The value of that type that `to_json` wrote. Raises ValueError with one line otherwise."""
    try:
        return _adapter(kind).validate_json(text)
    except PydanticError as error:
        raise ValueError(_first_fault(error)) from None


def from_data(kind: Any, data: Any) -> Any:
    """The value of that type from plain data, checked as JSON is."""
    try:
        return _adapter(kind).validate_python(data, strict=False)
    except PydanticError as error:
        raise ValueError(_first_fault(error)) from None


@cache
def _adapter_of(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(kind)  # type: ignore[arg-type] # a class or a union


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _adapter_of(kind)


def _first_fault(error: PydanticError) -> str:
    """Where the first fault is, what is wrong, and what was found."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] == "value_error" else f", found {reprlib.repr(first['input'])}"
    return f"{place}: {message}{found}" if place else f"{message}{found}"


def _problem(value: Any) -> Problem:
    return value if isinstance(value, Problem) else Problem.parse(value)


def _limits(value: Any) -> Limits:
    if isinstance(value, Limits):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"limits are {reprlib.repr(value)}; expected fields by name")  # noqa: TRY004 - pydantic reports ValueError
    lists = {name: tuple(each) for name, each in value.items() if isinstance(each, list)}
    return Limits(**{**value, **lists, "head_dims": range(*value["head_dims"])})


def _limits_data(limits: Limits) -> dict[str, Any]:
    sizes = limits.head_dims
    fields = {name: getattr(limits, name) for name in Limits.__dataclass_fields__}
    return {**fields, "head_dims": [sizes.start, sizes.stop, sizes.step]}


ProblemText = Annotated[Problem, PlainValidator(_problem), PlainSerializer(str, return_type=str)]
"""A problem, stored and sent as its text."""
LimitsData = Annotated[Limits, PlainValidator(_limits), PlainSerializer(_limits_data)]
"""Limits, stored and sent as their fields."""
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0, lt=_MOST)]
Count = Annotated[int, Field(ge=0, lt=_MOST)]
