"""What a session can be asked: to describe implementations and itself, to check, to time."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import torch

import impls
from impls.interface import Implementation, Missing, Problem
from suites.agreement.checker import Checker
from suites.agreement.hard_checks import HardFindings
from suites.calibrate.arms import calibrate, instruments
from suites.engine.answering import Task, forget, keep, resolve
from suites.engine.guard import limited_memory
from suites.engine.messages import Sender, one_line
from suites.engine.timed import measure
from suites.measure import cache, ceilings, machine, memory, precision, timing
from suites.measure.allocator import give_back
from suites.process_state.fingerprint import DISTURBS, Fingerprint
from suites.records import plan
from suites.records.plan import Entry
from suites.records.record import CHECK, Record
from suites.stats.ceilings import to_json


def catalogue(task: Task, sender: Sender) -> None:
    """Answer with the machine, every implementation found, and those that the specs select.

    specs    what was asked for; None selects all
    without  files that ended an earlier catalogue, by path, with the reason
    """
    known: dict[str, Implementation | Missing] = {}
    try:
        for path in impls.own_files():
            known |= _load(path, task["without"], sender, known)
        specs = task["specs"]
        if specs is None:
            specs = [name for name, each in known.items() if isinstance(each, Implementation)]
        for spec in specs:
            sender.send("begin", problem="", implementation=spec)
            with _unchanged(spec, ValueError):
                impls.select([spec], known)
        selected = impls.select(specs, known)
    except ValueError as error:
        sender.send("refused", reason=one_line(str(error), LONGEST))
        return
    missing = [
        Entry(name=m.name, missing=m.reason) for m in known.values() if isinstance(m, Missing)
    ]
    entries = [*map(_entry, selected), *(missing if task["specs"] is None else ())]
    sender.send(
        "catalogue",
        machine=machine.describe(cores=task["cores"], threads=torch.get_num_threads()),
        entries=[plan.entry_to_json(each) for each in entries],
    )


def check(task: Task, sender: Sender) -> None:
    """Send a record of agreement and memory for every implementation named."""
    problem = Problem.parse(task["problem"])
    memory.self_check()
    memory.settle(problem.device, getattr(torch, problem.dtype))
    limit = partial(_limited, task["memory_limit"], problem.device)
    checker = Checker(
        problem,
        task["seed"],
        limit,
        _answered(),
        risks=lambda reason: sender.send("risk", reason=reason),
    )
    for name in task["implementations"]:

        def answer(name: str = name) -> Record:
            each = resolve(name, task["files"][name])
            sender.send("rest")
            checker.prepare(each)
            sender.send("begin", problem=task["problem"], implementation=name)
            forget(each)
            found = checker.check(each)
            return Record(
                session=CHECK,
                problem=task["problem"],
                implementation=name,
                status="wrong" if found.fault else "ok",
                reason=found.fault,
                agreement=found.agreement,
                peak_bytes=found.usage.peak_bytes,
                kept_bytes=found.usage.kept_bytes,
                resident_bytes=found.usage.resident_bytes,
                operator=found.operator,
                spent_ms=found.call_ms,
                calls_ms=found.calls_ms,
            )

        keep(task, name, sender, answer)


@contextmanager
def _limited(limit: int, device: str) -> Iterator[None]:
    """What a call runs within: memory that earlier ones have freed is not counted against it."""
    give_back(limit // 4)
    with limited_memory(limit, device):
        yield


@functools.cache
def _answered() -> HardFindings:
    """What hard inputs found in this process."""
    return {}


def survey(task: Task, sender: Sender) -> None:
    """Tell what this process can do at best, and what it runs with: told once, before any time.

    devices    whose ceilings are wanted
    dtypes     of the matrix products among them
    budget_ms  what finding one of them may take
    """
    found = [
        ceiling
        for device in task["devices"]
        for ceiling in ceilings.measure(device, task["dtypes"], budget_ms=task["budget_ms"])
    ]
    sender.send(
        "facts",
        facts={
            "ceilings": to_json(found),
            "threads": torch.get_num_threads(),
            "affinity": cpus_of_threads(),
            "products": precision.describe(),
            "clock_resolution_ms": timing.resolution_ms(),
            "last_level_cache_bytes": cache.last_level_bytes(),
            "garbage_collection": "off in samples" if gc.isenabled() else "off",
            "environment": {name: os.environ[name] for name in SET_HERE if name in os.environ},
        },
    )


def cpus_of_threads() -> list[int]:
    """The CPUs that the threads of this process may run on; empty where the system does not say."""
    threads = Path("/proc/self/task")
    if not (threads.exists() and hasattr(os, "sched_getaffinity")):
        return []
    found: set[int] = set()
    for each in threads.iterdir():
        with contextlib.suppress(OSError):  # one that ended meanwhile
            found |= os.sched_getaffinity(int(each.name))
    return sorted(found)


def wait(_: Task, __: Sender) -> None:
    """Nothing: answered as soon as this process has imported what it needs."""


LONGEST: Final = 2000
"""Characters of a refusal: paths are long."""
SET_HERE: Final = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
)
"""Variables that the engine sets for a session."""
TASKS: Final[dict[str, Callable[[Task, Sender], None]]] = {
    "catalogue": catalogue,
    "survey": survey,
    "wait": wait,
    "check": check,
    "calibrate": calibrate,
    "instruments": instruments,
    "measure": measure,
}


def _load(
    path: Path, without: dict[str, str], sender: Sender, known: dict[str, Implementation | Missing]
) -> dict[str, Implementation | Missing]:
    sender.send("begin", problem="", implementation=str(path))
    if str(path) in without:
        return {path.stem: Missing(path.stem, without[str(path)])}
    with _unchanged(str(path), RuntimeError):  # ends the process, not the run
        found = impls.load([path])
    for name in found.keys() & known.keys():
        other = known[name]
        where = other.file if isinstance(other, Implementation) else "impls"
        raise ValueError(f"the name {name!r} is used in {where} and in {path}; rename one")
    return found


@contextmanager
def _unchanged(file: str, error: type[Exception]) -> Iterator[None]:
    """Raise this error when importing a file changes the process for all others."""
    before = Fingerprint()
    yield
    if changes := before.changes():
        raise error(f"{file}: importing it {changes}, {DISTURBS}; leave all as it was")


def _entry(each: Implementation) -> Entry:
    parts = [each, *([each.inner] if each.inner else [])]
    lines = (each.function.__doc__ or "").strip().splitlines()
    return Entry(
        name=str(each),
        files={part.name: str(Path(part.file).resolve()) for part in parts},
        hashes={part.name: impls.fingerprint(part.file) for part in parts},
        limits=each.limits,
        inner_limits=each.inner.limits if each.inner else (),
        choices={name: list(map(str, values)) for name, values in each.choices.items()},
        panel=each.panel,
        description=lines[0] if lines else "",
    )
