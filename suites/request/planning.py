"""From what a user asks for to a plan: problems, implementations, limits."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import psutil

from impls import fingerprint
from impls.interface import Problem
from suites.engine.catalogue import cores, open_catalogue
from suites.engine.processes import Processes
from suites.engine.run import AHEAD
from suites.measure.allocator import ALLOCATORS
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK
from suites.records.store import Run
from suites.request.axes import values_of
from suites.request.suites import Suite

MOST: Final = 1e6
"""Seconds, minutes or GiB beyond which a limit is a typing error."""
BASELINE: Final = "sdpa_flash"
"""Whom the others are compared with unless told otherwise: what most models call today."""
ROUND_BUDGET_MS: Final = 500.0
"""For the rounds of a problem that was asked for by itself."""
FEWEST_SESSIONS: Final = 2
ENOUGH_S: Final = 10.5
"""A problem asked for by itself has at least so many sessions, the fewest that an interval takes,
and further ones while they end within so many seconds for each ratio: whoever writes a kernel waits
for it, and starting and reporting take a few seconds more."""
MOST_SESSIONS: Final = 20
"""Sessions at which a precision is given up, unless --sessions says otherwise."""
ALLOWED_SESSIONS: Final = 1000
"""More is a typing error: one takes seconds to minutes."""
CACHES: Final = ("hot", "cold")
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
    against    the implementation that the others are compared with
    threads    comma-separated numbers of threads
    precision  half-width of a ratio's interval that is enough: 1% or 0.01; so is delta written
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
    threads: str | None = None
    against: str | None = None
    precision: str | None = None
    delta: str = "1%"
    cache: str = "hot"
    allocator: str = "default"


def processes_for(request: Request) -> Processes:
    """Processes under the request's limits, the check's started, and sessions' where it matters.

    Raises ValueError for what makes no sense, before anything is started.
    """
    _understood_axes(request)
    threads = _threads(request.threads)
    made = Processes(
        request.time_limit_s, _memory_limit(request.memory_limit_gib), request.allocator
    )
    made.start(CHECK, max(threads))
    if not request.problems:
        return made  # what is asked for may be unknown, and seconds do not matter
    fewest = _sessions(request)["fewest_sessions"]
    likely = fewest + 1 if _is_waited_for(request) else fewest
    for index in range(min(AHEAD, likely * len(threads))):
        made.start(index + 1, threads[index % len(threads)])
    return made


def processes_of(plan: Plan) -> Processes:
    """Processes under a stored plan's limits."""
    return Processes(plan.time_limit_s, plan.memory_limit, plan.allocator)


def prepare(request: Request, processes: Processes | None = None) -> tuple[Plan, dict[str, Any]]:
    """The plan, and the machine it is for. Raises ValueError for what makes no sense.

    processes  for the run that follows
    """
    axes, threads = _understood_axes(request), _threads(request.threads)
    precision = None if request.precision is None else fraction("--precision", request.precision)
    delta = fraction("--delta", request.delta)
    machine, entries = open_catalogue(
        _specs(request), threads=max(threads), allocator=request.allocator, processes=processes
    )
    devices = tuple(each["device"] for each in machine["devices"])
    problems = _problems(request, axes, devices)
    return (
        Plan(
            suite="problem" if request.problems else request.suite.name,
            problems=tuple(map(str, problems)),
            entries=entries,
            **_sessions(request),
            enough_s=_enough_s(request, entries),
            seed=secrets.randbits(31),
            round_budget_ms=ROUND_BUDGET_MS if request.problems else request.suite.round_budget_ms,
            time_limit_s=request.time_limit_s,
            memory_limit=_memory_limit(request.memory_limit_gib),
            budget_s=_budget_s(request),
            threads=threads,
            capability=_capability(machine),
            precision=precision,
            delta=delta,
            baseline=_baseline(request.against, entries),
            cache=request.cache,
            allocator=request.allocator,
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
    machine, _ = open_catalogue([], threads=max(run.plan.threads), allocator=run.plan.allocator)
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


def _check_numbers(request: Request) -> None:
    for option, value, most in (
        ("--kv-heads", request.key_heads, MOST),
        ("--sessions", request.sessions, ALLOWED_SESSIONS),
    ):
        if value is not None and not 1 <= value <= most:
            raise ValueError(f"{option} is {value}, expected 1 to {most:g}")
    for option, limit in (
        ("--time-limit", request.time_limit_s),
        ("--memory-limit", request.memory_limit_gib),
        ("--budget", request.budget_min),
    ):
        if limit is not None and not 0 < limit < MOST:
            raise ValueError(f"{option} is {limit:g}, expected more than 0 and less than {MOST:g}")
    fraction("--delta", request.delta)
    if request.precision is not None:
        fraction("--precision", request.precision)
    for option, word, words in (
        ("--cache", request.cache, CACHES),
        ("--allocator", request.allocator, ALLOCATORS),
    ):
        if word not in words:
            raise ValueError(f"{option} is {word!r}, expected one of {', '.join(words)}")


def _threads(text: str | None) -> tuple[int, ...]:
    """Numbers of threads, in order. Raises ValueError for one that is named twice."""
    if text is None:
        return (cores(),)
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) for word in words):
        raise ValueError(f"--threads {text!r}: expected numbers from 1 up, like 1,2")
    found = tuple(sorted(map(int, words)))
    if len(set(found)) < len(found):
        raise ValueError(f"--threads {text!r}: a number is named twice; expected each once")
    if found[-1] > cores():
        raise ValueError(f"--threads is {found[-1]}, this program may use {cores()} CPUs")
    return found


def fraction(option: str, text: str) -> float:
    """What `1%` or `0.01` says. Raises ValueError for anything else, and for 0 and 1."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise ValueError(f"{option} is {text!r}, expected a part of the time like 1% or 0.01")
    return value


def _sessions(request: Request) -> dict[str, int]:
    """How many sessions there are, and after how many a precision or enough time may end them."""
    usual = request.suite.sessions
    most = request.sessions or (usual if request.precision is None else MOST_SESSIONS)
    fewest = FEWEST_SESSIONS if _is_waited_for(request) else usual
    return {"sessions": most, "fewest_sessions": min(fewest, most)}


def _is_waited_for(request: Request) -> bool:
    """Whether problems are asked for by themselves, and nothing says how long that may take."""
    asked = (request.sessions, request.precision, request.budget_min)
    return bool(request.problems) and all(each is None for each in asked)


def _enough_s(request: Request, entries: Sequence[Entry]) -> float | None:
    """Seconds within which sessions end that are more than the fewest; None: all are had."""
    if not _is_waited_for(request):
        return None
    able = sum(not entry.missing for entry in entries)
    return ENOUGH_S * len(request.problems) * max(1, able - 1)


def _understood_axes(request: Request) -> dict[str, list[dict[str, Any]]]:
    """The values of the axes; a typing error of any kind is told before anything is started."""
    _check_numbers(request)
    for text in request.problems:
        if not text.strip():
            raise ValueError(f"--problem {text!r}: expected words like 'b1 h8 t4096 d64 causal'")
        Problem.parse(text)
    return {option: values_of(option, text) for option, text in request.axes.items()}


def _specs(request: Request) -> list[str] | None:
    """The implementations asked for, the one to compare with among them."""
    if request.specs is None:
        return None
    added = [] if request.against in (None, *request.specs) else [request.against]
    return [*request.specs, *(spec for spec in added if spec)]


def _baseline(against: str | None, entries: tuple[Entry, ...]) -> str:
    """The name of the baseline. Raises ValueError when it is not among the implementations."""
    names = [entry.name for entry in entries]
    if against is None:
        return BASELINE if BASELINE in names else ""
    found = [entry.name for entry in entries if _is(entry, against)]
    if not found:
        raise ValueError(
            f"--against {against!r} is none of the implementations of this run: {', '.join(names)}"
        )
    panels = {entry.name: entry.panel for entry in entries}
    panel = panels.pop(found[0])
    if panels and panel not in panels.values():
        raise ValueError(
            f"--against {against!r}: none of the others computes what it does, so that nothing "
            "could be compared with it"
        )
    return found[0]


def _is(entry: Entry, spec: str) -> bool:
    """Whether NAME, FILE.py or FILE.py:NAME means this implementation."""
    file, extension, name = spec.rpartition(".py")
    if not extension:
        return entry.name == spec
    path = Path(file + extension).resolve()
    return str(path) in entry.files.values() and name.removeprefix(":") in ("", entry.name)


def _memory_limit(gib: float | None) -> int:
    if gib is not None:
        return int(gib * 2**30)
    return int(psutil.virtual_memory().available * MEMORY_SHARE)


def _budget_s(request: Request) -> float | None:
    return request.suite.budget_s if request.budget_min is None else request.budget_min * 60


def _capability(machine: dict[str, Any]) -> tuple[int, int] | None:
    found = next((d["capability"] for d in machine["devices"] if "capability" in d), None)
    return None if found is None else (found[0], found[1])
