"""Rows of a store to runs and records: each is read by itself, so that a bad one hides no other.

A file may have been damaged, edited or written by another release. What a row holds is believed
once it has the types that its class states and its numbers can be what they are called.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from impls.interface import Problem
from suites.records import plan as plans
from suites.records import record as records
from suites.records.plan import Plan
from suites.records.record import Record
from suites.stats import ceilings

NO_PLAN: Final = Plan(
    suite="",
    problems=(),
    entries=(),
    sessions=0,
    seed=0,
    round_budget_ms=0.0,
    time_limit_s=0.0,
    memory_limit=0,
    threads=(1,),
)
"""Stands in for a plan that cannot be read."""
_NAME: Final = re.compile(r"(?!latest$)(?!.*\.$)[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
_DEVICES: Final = r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)"
"""Names that are devices and no folders on some systems."""
_MACHINE: Final = {
    "devices": list[dict[str, Any]] | None,
    "versions": dict[str, Any] | None,
    "memory_bytes": int | float | None,
}
"""What reports look into; the rest of a machine is only shown."""
_FACTS: Final = {"affinity": list[int] | None, "clock_resolution_ms": float | None}
_DURATIONS: Final = (
    "first_call_ms",
    "host_ms",
    "sustained_ms",
    "cross_check_ms",
    "spent_ms",
    "calls_ms",
)
BYTES: Final = ("peak_bytes", "kept_bytes", "resident_bytes")
_ERRORS: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading data of any shape may raise."""


Made = TypeVar("Made")
Test = Callable[[Any], bool]
"""Whether a value is what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All records of one invocation, and what they were made on.

    name            of letters, digits and . _ + -: its reports stand in a folder of that name
    started, ended  ISO 8601, UTC; ended is None for a run that was interrupted
    command         the command line that started it
    machine         hardware, versions, threads and allocator, as suites.measure.machine reads them
    facts           what the processes of its sessions told of themselves: ceilings, clock, ...
    fault           why its plan or machine cannot be read, which are empty then
    """

    name: str
    started: str
    command: str
    plan: Plan
    machine: dict[str, Any] = field(default_factory=dict)
    ended: str | None = None
    facts: tuple[dict[str, Any], ...] = ()
    fault: str = ""


def expect_name(name: str) -> None:
    """Raise ValueError for a name that could lead out of a folder, or be none everywhere."""
    if not _NAME.fullmatch(name) or re.match(_DEVICES, name):
        raise ValueError(
            f"its name, {reprlib.repr(name)}, is none for a folder; "
            "expected letters, digits and . _ + -, at most 200"
        )


def run_of(row: Mapping[Any, Any]) -> Run:
    """The run of a row; one that cannot be read has its fault, and neither plan nor machine."""
    told: dict[str, Any] = {name: _text(row[name]) for name in ("name", "started", "command")}
    ended = None if row["ended"] is None else _text(row["ended"])

    def read() -> Run:
        expect_name(told["name"])
        plan, machine = plans.from_json(json.loads(row["plan"])), json.loads(row["machine"])
        _expect_plan(plan)
        _expect_fields(machine, _MACHINE, "machine")
        return Run(**told, ended=ended, plan=plan, machine=machine)

    made = _read(read)
    return Run(**told, ended=ended, plan=NO_PLAN, fault=made) if isinstance(made, str) else made


def record_of(row: Mapping[Any, Any]) -> Record:
    """The record of a row; one that cannot be read becomes a failed one that says so.

    It stands in the way of times of its implementation on its problem: nobody knows what it told.
    Raises ValueError where not even its place can be read.
    """
    key = row["session"], row["problem"], row["implementation"]
    if not _fits(key, tuple[int, str, str]):
        raise ValueError(f"a record is that of {reprlib.repr(key)}")

    def read() -> Record:
        made = records.from_json(json.loads(row["data"]))
        _expect_record(made)
        if made.key != key:
            raise ValueError(f"it tells of {reprlib.repr(made.key)}")
        return made

    made = _read(read)
    if isinstance(made, Record):
        return made
    return Record(
        session=key[0],
        problem=key[1],
        implementation=key[2],
        status="failed",
        reason=f"its stored record of session {key[0]} cannot be read: {made}",
    )


def facts_of(session: int, data: str) -> dict[str, Any]:
    """What a process told of itself, with its session; `fault` where that cannot be read."""

    def read() -> dict[str, Any]:
        facts = json.loads(data)
        _expect_fields(facts, _FACTS, "facts")
        for each in ceilings.from_json(facts.get("ceilings") or ()):
            _expect_types(each)
            _expect_figures("a ceiling", [each.value])
        return {**facts, "session": session}

    made = _read(read)
    return {"session": session, "fault": made} if isinstance(made, str) else made


def _read(read: Callable[[], Made]) -> Made | str:
    """What is read, or why it cannot be, on one line."""
    try:
        return read()
    except _ERRORS as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _expect_plan(plan: Plan) -> None:
    _expect_types(plan)
    for text in plan.problems:
        Problem.parse(text)
    names = [entry.name for entry in plan.entries]
    for what, sound in {
        "no thread": bool(plan.threads) and min(plan.threads) > 0,
        "sessions below none": plan.sessions >= 0,
        "an implementation twice": len(set(names)) == len(names),
        "a problem twice": len(set(plan.problems)) == len(plan.problems),
    }.items():
        if not sound:
            raise ValueError(f"its plan has {what}")


def _expect_record(record: Record) -> None:
    _expect_types(record)
    told = (getattr(record, name) for name in _DURATIONS)
    _expect_figures("a time", [*record.times_ms, *record.twin_ms, *(t for t in told if t)])
    sizes = (getattr(record, name) for name in BYTES)
    _expect_figures("a size in bytes", [size for size in sizes if size])
    disturbed = record.conditions.disturbed if record.conditions else ()
    if len(disturbed) not in (0, len(record.times_ms)):
        raise ValueError(f"{len(disturbed)} rounds beside {len(record.times_ms)} times")


def _expect_figures(what: str, values: list[float]) -> None:
    for value in values:
        if not 0 <= value < math.inf:
            raise ValueError(f"{what} of {value}")


def _expect_fields(data: Any, kinds: Mapping[str, Any], what: str) -> None:
    if not isinstance(data, dict):
        raise TypeError(f"its {what} is {reprlib.repr(data)}")
    for name, kind in kinds.items():
        if not _fits(data.get(name), kind):
            raise TypeError(f"{name} of its {what} is {reprlib.repr(data[name])}")


def _expect_types(made: Any) -> None:
    """Raise TypeError for the first field of a dataclass that is not what its class states."""
    for name, exact, fits in _fields(made.__class__):
        value = getattr(made, name)
        if type(value) not in exact and not fits(value):
            raise TypeError(f"{name} is {reprlib.repr(value)}")


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is what an annotation states, its parts included."""
    return _test(kind)(value)


@cache
def _fields(kind: Any) -> tuple[tuple[str, frozenset[type], Test], ...]:
    """The fields of a dataclass, each with types that need no further look, and with its test."""
    hints = get_type_hints(kind).items()
    return tuple((name, _exact(stated), _test(stated)) for name, stated in hints)


def _exact(kind: Any) -> frozenset[type]:
    """Types whose every value fits an annotation: most of a record's fields hold one of them."""
    either = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return frozenset({*either} & {float, str, bool, types.NoneType})


@cache
def _test(kind: Any) -> Test:
    """What tells whether a value fits an annotation; made once, since runs have many records."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda _: True
    if origin in (Union, types.UnionType):
        return _any_test(parts)
    if origin is Literal:
        return lambda value: value in parts
    if origin is dict:
        key, held = map(_test, parts)
        return lambda value: (
            isinstance(value, dict) and all(key(k) and held(v) for k, v in value.items())
        )
    if origin in (tuple, list):
        return _row_test(origin, parts)
    return _plain_test(kind)


def _any_test(parts: tuple[Any, ...]) -> Test:
    """The test of a value that is one of several kinds; mostly one kind, or None."""
    tests = tuple(_test(part) for part in parts if part is not types.NoneType)
    none = len(tests) < len(parts)
    if len(tests) == 1:
        only = tests[0]
        return lambda value: (none and value is None) or only(value)
    return lambda value: (none and value is None) or any(fits(value) for fits in tests)


def _row_test(origin: Any, parts: tuple[Any, ...]) -> Test:
    """The test of a list, of a tuple of any length, or of a tuple of just these."""
    if origin is list or parts[-1] is Ellipsis:
        each, exact = _test(parts[0]), _exact(parts[0])
        return lambda value: (
            isinstance(value, origin)
            and (exact.issuperset(map(type, value)) or all(map(each, value)))
        )
    tests = tuple(_test(part) for part in parts)
    return lambda value: (
        isinstance(value, origin)
        and len(value) == len(tests)
        and all(fits(each) for fits, each in zip(tests, value, strict=True))
    )


def _plain_test(kind: Any) -> Test:
    if kind is float:
        return lambda value: type(value) is float or _is_int(value)
    if kind is int:
        return _is_int
    whole = is_dataclass(kind)
    if whole:
        return lambda value: isinstance(value, kind) and _has_types(value)
    return lambda value: isinstance(value, kind)


def _is_int(value: Any) -> bool:
    """What a table of whole numbers holds; a truth is none."""
    return type(value) is int and abs(value) < 2**63


def _has_types(made: Any) -> bool:
    _expect_types(made)
    return True
