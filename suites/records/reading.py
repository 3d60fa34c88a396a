"""Rows of a store to runs and records: each row is read alone, so that a bad one hides no other.

A file may have been damaged, edited or written by another release: the codec checks every type.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from impls.interface import Problem
from suites.records.codec import from_data, from_json
from suites.records.facts import SessionFacts
from suites.records.plan import Plan
from suites.records.record import Record

NO_PLAN: Final = Plan(
    suite="",
    problems=(),
    entries=(),
    sessions=0,
    seed=0,
    round_budget_ms=0.0,
    memory_limit=0,
    threads=(1,),
)
"""Stands in for a plan that cannot be read."""
_NAME: Final = re.compile(r"(?!latest$)(?!.*\.$)[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,199}")
_DEVICES: Final = r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)"
"""File names that some systems reserve for devices."""
_MACHINE: Final = {
    "devices": list[dict[str, Any]] | None,
    "versions": dict[str, Any] | None,
    "memory_bytes": int | float | None,
}
"""Fields of a machine that reports compute with; the rest is only shown."""
_LONGEST: Final = 300
"""Characters of a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All records of one invocation, and what they were made on.

    name            of letters, digits and . _ + - @: its reports stand in a folder of that name
    started, ended  ISO 8601, UTC; ended is None for a run that was interrupted
    command         the command line that started it
    machine         hardware, versions, threads and allocator, as suites.measure.machine reads them
    facts           what the processes of its sessions reported: ceilings, clock, ...
    fault           why its plan or machine cannot be read; both are empty then
    unread          why a row of a record belongs to no problem, for each such row
    """

    name: str
    started: str
    command: str
    plan: Plan
    machine: dict[str, Any] = field(default_factory=dict)
    ended: str | None = None
    facts: tuple[SessionFacts, ...] = ()
    fault: str = ""
    unread: tuple[str, ...] = ()


def expect_name(name: str) -> None:
    """Raise ValueError for a name that could lead out of a folder, or that no folder can have."""
    if not _NAME.fullmatch(name) or re.match(_DEVICES, name):
        raise ValueError(
            f"its name, {reprlib.repr(name)}, cannot be a folder's; "
            "expected letters, digits and . _ + - @, at most 200"
        )


def run_of(row: Mapping[Any, Any]) -> Run:
    """The run of a row; one that cannot be read has its fault, and neither plan nor machine."""
    texts: dict[str, Any] = {name: _text(row[name]) for name in ("name", "started", "command")}
    ended = None if row["ended"] is None else _text(row["ended"])
    try:
        expect_name(texts["name"])
        plan, machine = from_json(Plan, row["plan"]), _machine(row["machine"])
    except (ValueError, RecursionError) as error:
        return Run(**texts, ended=ended, plan=NO_PLAN, fault=_one_line(error))
    return Run(**texts, ended=ended, plan=plan, machine=machine)


def unread(row: Mapping[Any, Any]) -> str:
    """Why not even the session, problem and implementation of a row can be read; empty: they can.

    Such a row is a record of no pair: it is counted, and not among the records.
    """
    try:
        _key(row)
    except ValueError as error:
        place = reprlib.repr((row["session"], row["implementation"]))
        return f"the record of session and implementation {place}: {_one_line(error)}"
    return ""


def record_of(row: Mapping[Any, Any]) -> Record:
    """The record of a row that `unread` accepts; one with damaged data becomes a failed record.

    That one still keeps its implementation from times on its problem.
    """
    key = _key(row)
    try:
        made = from_json(Record, row["data"])
        if made.key != key:
            raise ValueError(f"its data are those of {reprlib.repr(made.key)}")  # noqa: TRY301 - one sentence for all faults
    except (ValueError, RecursionError) as error:
        return Record(
            session=key[0],
            problem=key[1],
            implementation=key[2],
            status="failed",
            cause="unreadable_record",
            reason=f"its stored record of session {key[0]} cannot be read: {_one_line(error)}",
        )
    return made


def facts_of(session: int, data: str) -> SessionFacts:
    """The facts of a row; `fault` where they cannot be read."""
    try:
        return replace(from_json(SessionFacts, data), session=session)
    except (ValueError, RecursionError) as error:
        return SessionFacts(session=session, fault=_one_line(error))


def _key(row: Mapping[Any, Any]) -> tuple[int, Problem, str]:
    session, problem, name = row["session"], row["problem"], row["implementation"]
    if not (type(session) is int and isinstance(problem, str) and isinstance(name, str)):
        raise ValueError(f"{reprlib.repr((session, problem, name))}; expected int, text, text")
    return session, _stored_problem(problem), name


@lru_cache(maxsize=65536)
def _stored_problem(text: str) -> Problem:
    """The problem of a stored text. Raises ValueError for a text that no store writes."""
    problem = Problem.parse(text)
    if problem.key() != text:
        raise ValueError(f"problem {reprlib.repr(text)}; expected {problem.key()!r}")
    return problem


def _machine(text: str) -> dict[str, Any]:
    machine = json.loads(text)
    if not isinstance(machine, dict):
        raise ValueError(f"its machine is {reprlib.repr(machine)}")  # noqa: TRY004 - a damaged row, not a caller's mistake
    for name, kind in _MACHINE.items():
        try:
            from_data(kind, machine.get(name))
        except ValueError as error:
            raise ValueError(f"{name} of its machine: {error}") from None
    return machine


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_LONGEST]
