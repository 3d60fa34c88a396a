"""The one codec of plans, records, tasks and messages: dataclasses to JSON and back.

Reading is strict: a field of another type, a missing or an unknown field raises ValueError.
"""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from typing import Annotated, Any, Final, TypeVar, dataclass_transform

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
)
from pydantic import ValidationError as PydanticError
from pydantic_core import PydanticSerializationError

from impls.interface import Limits, Problem

STRICT: Final = ConfigDict(
    extra="forbid", strict=True, ser_json_inf_nan="constants", arbitrary_types_allowed=True
)
"""`__pydantic_config__` of every dataclass that is stored or sent. Limits hold a range."""
TOO_LARGE: Final = 2**63
"""Stored integers stay below this: tables of other programs hold 64-bit integers."""

_RANGES: Final = tuple(
    name for name in Limits.__dataclass_fields__ if isinstance(getattr(Limits(), name), range)
)
"""Fields of Limits that hold a range."""
Value = TypeVar("Value")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def message(cls: type[Value]) -> type[Value]:
    """A class as a frozen dataclass that the codec reads strictly."""
    cls.__pydantic_config__ = STRICT  # type: ignore[attr-defined] # read by pydantic
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def to_json(value: Any, kind: Any = None) -> str:
    """The JSON of a value.

    kind  its type where that is a union; the value's own class otherwise

    Raises ValueError for text with a lone surrogate, as file names with undecodable bytes have.
    """
    try:
        return _adapter(kind or type(value)).dump_json(value).decode()
    except PydanticSerializationError as error:
        raise ValueError(f"{error}; rename the file that is not named in UTF-8") from None


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
    """Plain data as a value of a type of plain data: text is not read as a number.

    Raises ValueError with one line for data of another type.
    """
    try:
        return _adapter(kind).validate_python(data, strict=True)
    except PydanticError as error:
        raise ValueError(_first_fault(error)) from None


@cache
def _adapter_of(kind: Hashable) -> TypeAdapter[Any]:
    # A dataclass has STRICT already. A union needs it, too: it decides how inf and NaN are written.
    config = None if is_dataclass(kind) else STRICT
    return TypeAdapter(kind, config=config)  # type: ignore[arg-type] # a class or a union


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
    if isinstance(value, Problem):
        return value
    if not isinstance(value, str):
        raise ValueError(f"a problem is {reprlib.repr(value)}; expected its text")  # noqa: TRY004 - pydantic reports ValueError
    return Problem.parse(value)


def _limits(value: Any) -> Any:
    """Fields of limits as their class has them: tuples for lists, and ranges.

    Only head_dims must be there: runs of earlier versions have no other range.
    """
    if not isinstance(value, Mapping):
        return value
    lists = {name: tuple(each) for name, each in value.items() if isinstance(each, list)}
    ranges = {
        name: _range(name, value.get(name))
        for name in _RANGES
        if name == "head_dims" or name in value
    }
    return {**value, **lists, **ranges}


def _range(name: str, value: Any) -> range:
    sizes = from_data(list[int], value)
    if len(sizes) != 3:
        raise ValueError(f"{name} are {reprlib.repr(sizes)}; expected start, stop and step")
    return range(*sizes)


def _limits_data(limits: Limits) -> dict[str, Any]:
    fields = {name: getattr(limits, name) for name in Limits.__dataclass_fields__}
    sizes = {name: fields[name] for name in _RANGES}
    return {**fields, **{name: [x.start, x.stop, x.step] for name, x in sizes.items()}}


ProblemText = Annotated[Problem, PlainValidator(_problem), PlainSerializer(str, return_type=str)]
"""A problem, stored and sent as its text."""
LimitsData = Annotated[Limits, BeforeValidator(_limits), PlainSerializer(_limits_data)]
"""Limits, stored and sent as their fields."""
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0, lt=TOO_LARGE)]
Count = Annotated[int, Field(ge=0, lt=TOO_LARGE)]
Growth = Annotated[int, Field(gt=-TOO_LARGE, lt=TOO_LARGE)]
Average = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Of counts."""
