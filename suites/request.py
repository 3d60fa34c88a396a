"""From what a user asks for to a plan: problems, implementations, limits."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import psutil

from impls import fingerprint
from impls.interface import Problem
from impls.interface.problem import DEVICES, parse_word
from suites.catalogue import Suite
from suites.engine.run import cores, open_catalogue
from suites.records.plan import Plan
from suites.records.store import Run

AXES: Final[dict[str, str]] = {
    "--seq": "t{}",
    "--heads": "h{}",
    "--batch": "b{}",
    "--head-dim": "d{}",
    "--device": "{}",
    "--dtype": "{}",
    "--mask": "{}",
    "--pass": "{}",
}
"""Options that replace one axis of every problem, and the word that a value makes."""
_FIELDS: Final = {
    "--seq": "query_length",
    "--heads": "query_heads",
    "--batch": "batch",
    "--head-dim": "head_dim",
    "--device": "device",
    "--dtype": "dtype",
    "--mask": "mask",
    "--pass": "training",
}
MOST: Final = 1e6
"""Seconds, minutes or GiB beyond which a limit is a typing error."""
MEMORY_SHARE: Final = 0.8
"""The part of the available memory that one call may add unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked on the command line; None is "not said".

    suite      where problems come from, unless `problems` names them
    specs      implementations to run; None is all that are found
    problems   problems as typed
    axes       comma-separated values by option
    key_heads  key heads of every problem
    """

    suite: Suite
    specs: tuple[str, ...] | None = None
    problems: tuple[str, ...] = ()
    axes: Mapping[str, str] = field(default_factory=dict)
    key_heads: int | None = None
    sessions: int | None = None
    time_limit_s: float = 60.0
    memory_limit_gib: float | None = None
    budget_min: float | None = None
    threads: int | None = None


def prepare(request: Request) -> tuple[Plan, dict[str, Any]]:
    """The plan, and the machine it is for. Raises ValueError for what makes no sense."""
    _check_numbers(request)
    axes = {option: _values(option, text) for option, text in request.axes.items()}
    for text in request.problems:
        Problem.parse(text)  # a typing error is told before anything is started
    threads = request.threads or cores()
    machine, entries = open_catalogue(
        None if request.specs is None else list(request.specs), threads=threads
    )
    devices = tuple(each["device"] for each in machine["devices"])
    problems = _problems(request, axes, devices)
    return (
        Plan(
            suite=request.suite.name,
            problems=tuple(map(str, problems)),
            entries=entries,
            sessions=request.suite.sessions if request.sessions is None else request.sessions,
            seed=secrets.randbits(31),
            round_budget_ms=request.suite.round_budget_ms,
            time_limit_s=request.time_limit_s,
            memory_limit=_memory_limit(request.memory_limit_gib),
            budget_s=_budget_s(request),
            threads=threads,
            capability=_capability(machine),
        ),
        machine,
    )


def expect_unchanged(run: Run) -> None:
    """Raises ValueError when a run's files or machine are not what they were when it began."""
    for entry in run.plan.entries:
        for name, path in entry.files.items():
            if not Path(path).is_file() or fingerprint(path) != entry.hashes[name]:
                raise ValueError(
                    f"{path} has changed since run {run.name!r} began; its records would not "
                    "belong together: start a new run"
                )
    machine, _ = open_catalogue([], threads=run.plan.threads)
    for fact in ("cpu", "cores", "versions", "allocator", "devices"):
        if machine[fact] != run.machine[fact]:
            raise ValueError(
                f"run {run.name!r} began with {fact} {run.machine[fact]}, here it is "
                f"{machine[fact]}; its records would not belong together: start a new run"
            )


def _problems(
    request: Request, axes: dict[str, list[dict[str, Any]]], devices: tuple[str, ...]
) -> list[Problem]:
    """The problems asked for, each once, in order."""
    if request.problems:
        base = [Problem.parse(text, device=devices[0]) for text in request.problems]
    else:
        base = list(request.suite.problems(devices))
    found: dict[Problem, None] = {}
    for problem, *values in product(base, *axes.values()):
        fields = {name: value for each in values for name, value in each.items()}
        if request.key_heads is not None:
            fields["key_heads"] = request.key_heads
        found[replace(problem, **fields)] = None
    for problem in found:
        if problem.device not in devices:
            raise ValueError(
                f"--device {problem.device}: this machine has {', '.join(devices)} "
                "(python run_bench.py list machine)"
            )
    return list(found)


def _values(option: str, text: str) -> list[dict[str, Any]]:
    """The fields that each comma-separated value of an axis option sets."""
    found = []
    for value in filter(None, (word.strip() for word in text.split(","))):
        word = "train" if (option, value) == ("--pass", "training") else value
        fields = _understood(option, AXES[option].format(word))
        if fields is None or _FIELDS[option] not in fields:
            raise ValueError(f"{option} {value!r}: {_expected(option, value)}")
        found.append(fields)
    if not found:
        raise ValueError(f"{option} {text!r}: {_expected(option, text)}")
    return found


def _understood(option: str, word: str) -> dict[str, Any] | None:
    try:
        fields = parse_word(word)
        Problem(**fields)
    except ValueError as error:
        if option == "--mask" or word[1:].replace("/", "").isdecimal():
            raise ValueError(f"{option}: {error}") from None
        return None
    return fields


def _expected(option: str, value: str) -> str:
    choices = {
        "--device": DEVICES,
        "--pass": ("forward", "training"),
        "--dtype": ("float64", "float32", "float16", "bfloat16"),
    }.get(option)
    if choices is None:
        example = "128,256" if option != "--mask" else "full,causal,window:256"
        return f"expected values like {example}"
    near = difflib.get_close_matches(value, choices, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"expected one of {', '.join(choices)}"


def _check_numbers(request: Request) -> None:
    for option, value, least in (
        ("--kv-heads", request.key_heads, 1),
        ("--sessions", request.sessions, 1),
        ("--threads", request.threads, 1),
    ):
        if value is not None and value < least:
            raise ValueError(f"{option} is {value}, expected at least {least}")
    for option, limit in (
        ("--time-limit", request.time_limit_s),
        ("--memory-limit", request.memory_limit_gib),
        ("--budget", request.budget_min),
    ):
        if limit is not None and not 0 < limit < MOST:
            raise ValueError(f"{option} is {limit:g}, expected more than 0 and less than {MOST:g}")
    if request.threads is not None and request.threads > cores():
        raise ValueError(f"--threads is {request.threads}, this program may use {cores()} CPUs")


def _memory_limit(gib: float | None) -> int:
    if gib is not None:
        return int(gib * 2**30)
    return int(psutil.virtual_memory().available * MEMORY_SHARE)


def _budget_s(request: Request) -> float | None:
    return request.suite.budget_s if request.budget_min is None else request.budget_min * 60


def _capability(machine: dict[str, Any]) -> tuple[int, int] | None:
    found = next((d["capability"] for d in machine["devices"] if "capability" in d), None)
    return None if found is None else (found[0], found[1])
