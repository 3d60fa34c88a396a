"""The implementations found and the machine, described by a session of their own, as data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from impls import own_files
from suites.engine.local_pool import LocalPool, Process
from suites.engine.local_session import ROOT
from suites.engine.messages import (
    Begin,
    InputsDescribed,
    Listed,
    Message,
    ReadingsChosen,
    Refused,
)
from suites.engine.protocol import (
    ChooseReadings,
    DescribeInputs,
    ImportLibraries,
    ListImplementations,
    Task,
)
from suites.engine.watch import Ending
from suites.records.input_files import InputFile
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK

LIMIT_S: Final = 120.0
"""Seconds that importing one file, or one library, may take."""
TRIALS_S: Final = 30.0
"""Seconds that trials of one implementation may take; compilers have those of --prepare-limit."""
MOST_TRIES: Final = 10
"""Files that may end the session, each of which makes another one necessary."""
_NO_LIMIT: Final = 1 << 62

Catalogue = tuple[dict[str, Any], tuple[Entry, ...]]
"""The machine, and its implementations."""


def open_catalogue(
    specs: list[str] | None,
    *,
    threads: int,
    allocator: str = "default",
    cuda_device: str = "",
    pool: LocalPool | None = None,
    processes: Mapping[str, str] = MappingProxyType({}),
    pythons: Mapping[str, str] = MappingProxyType({}),
) -> Catalogue:
    """The machine, and the implementations that the specs select (None: all), as data.

    pool       of the run that follows; the process that describes them is then the check's
    processes  by spec: the process that measures it, where it cannot share one with the others
    pythons    by process: its interpreter, where that is another one

    A file of `impls/` that ends the process becomes a missing implementation. Raises ValueError for
    a spec that selects nothing, and for one whose own file ends the process.
    """
    if pool is None:
        with LocalPool(LIMIT_S, _NO_LIMIT, allocator, cuda_device=cuda_device) as own:
            own.pythons |= pythons
            return _in_processes(specs, threads, own, processes)
    pool.pythons |= pythons
    return _in_processes(specs, threads, pool, processes)


def _in_processes(
    specs: list[str] | None, threads: int, pool: LocalPool, processes: Mapping[str, str]
) -> Catalogue:
    """The machine and the implementations, each imported by its process, in the specs' order."""
    if specs is None or not processes:
        return _of(_listed(specs, threads, pool))
    first = [position for position, spec in enumerate(specs) if spec not in processes]
    found = _listed([specs[position] for position in first], threads, pool)
    placed = [(first[of], each) for of, each in zip(found.positions, found.entries, strict=True)]
    machine = dict(found.machine)
    for position, spec in enumerate(specs):
        if process := processes.get(spec):
            listed = _listed([spec], threads, pool, process)
            python = pool.pythons.get(process, "")
            environment = _environment(listed.machine) if python else ""
            if python:
                facts = {name: listed.machine.get(name) for name in ("python", "versions")}
                machine["pythons"] = {**machine.get("pythons", {}), python: facts}
            placed += [
                (position, replace(each, process=process, python=python, environment=environment))
                for each in listed.entries
            ]
    return machine, tuple(each for _, each in sorted(placed, key=itemgetter(0)))


def _environment(machine: Mapping[str, Any]) -> str:
    """The versions of an interpreter that have a part in times."""
    return f"Python {machine['python']}, torch {machine['versions']['torch']}"


def _of(found: Listed) -> Catalogue:
    return found.machine, found.entries


def with_libraries(plan: Plan, pool: LocalPool) -> Plan:
    """The plan after its libraries were imported: an entry whose library fails is missing.

    Each is imported by the process that checks the implementation. Importing takes seconds for some
    libraries, so only those of a plan are imported, where a problem is within the limits.
    """
    return replace(plan, entries=tuple(_with_library(each, plan, pool) for each in plan.entries))


def _with_library(entry: Entry, plan: Plan, pool: LocalPool) -> Entry:
    needed = bool(entry.library) and entry.accepts_any(plan.problems, plan.capability)
    if entry.missing or not needed:
        return entry
    heard: list[Message] = []
    process = pool.take(CHECK, max(plan.threads), entry.process)
    task = ImportLibraries(implementation=entry.defined, files=entry.files)
    ending = _asked(process, task, heard.append, LIMIT_S)
    if ending is not None:
        process[1].end()
        return replace(entry, missing=f"ended the process that imports it: {ending.reason}")
    pool.put_back(CHECK, process, entry.process)
    refused = next((each for each in heard if isinstance(each, Refused)), None)
    return entry if refused is None else replace(entry, missing=refused.reason)


def with_readings(plan: Plan, pool: LocalPool) -> Plan:
    """The plan with chosen readings of every entry that follows another convention.

    An implementation that ends the process keeps its first reading: the check gives the reason.
    """
    return replace(plan, entries=tuple(_with_readings(each, plan, pool) for each in plan.entries))


def _with_readings(entry: Entry, plan: Plan, pool: LocalPool) -> Entry:
    if entry.missing or not entry.needs_trial:
        return entry
    heard: list[Message] = []
    task = ChooseReadings(
        implementation=entry.defined, files=entry.files, problems=plan.problems, seed=plan.seed
    )
    process = pool.take(CHECK, max(plan.threads), entry.process)
    if _asked(process, task, heard.append, min(TRIALS_S, plan.time_limit_s)) is not None:
        process[1].end()
        return entry
    pool.put_back(CHECK, process, entry.process)
    chosen = next((each for each in heard if isinstance(each, ReadingsChosen)), None)
    if chosen is None:
        return entry
    limits = chosen.limits if chosen.limits and not entry.inner_limits else entry.limits
    if chosen.cannot_be_called:
        return replace(entry, fault=chosen.doubt)
    return replace(entry, readings=chosen.readings, limits=limits, doubt=chosen.doubt)


def input_files(
    paths: tuple[str, ...], device: str, dtypes: tuple[str, ...], threads: int, pool: LocalPool
) -> tuple[InputFile, ...]:
    """Files with the user's own tensors, as data: the process of the check opens them.

    device  of a call whose file names none
    dtypes  further ones that the tensors will be converted to

    Raises ValueError for a file that holds no inputs of a call.
    """
    process = pool.take(CHECK, threads)
    heard: list[Message] = []
    task = DescribeInputs(paths=paths, device=device, dtypes=dtypes)
    ending = _asked(process, task, heard.append, LIMIT_S)
    if ending is not None:
        process[1].end()
        raise ValueError(f"the files of --inputs cannot be read: {ending.reason}")
    pool.put_back(CHECK, process)
    if refusals := [each.reason for each in heard if isinstance(each, Refused)]:
        raise ValueError(refusals[0])
    return next(each for each in heard if isinstance(each, InputsDescribed)).files


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _listed(specs: list[str] | None, threads: int, pool: LocalPool, name: str = "") -> Listed:
    """The machine and the implementations of these specs.

    name  of the process that imports them; "" is the first one
    """
    without: dict[str, str] = {}
    for _ in range(MOST_TRIES):
        process = pool.take(CHECK, threads, name)
        latest, ended = _ask(process, specs, without, pool.cuda_device)
        if not ended:
            pool.put_back(CHECK, process, name)
            if isinstance(latest, Refused):
                raise ValueError(latest.reason)
            if isinstance(latest, Listed):
                return latest
        if latest is None and (python := pool.pythons.get(name)):
            raise ValueError(
                f"--python {python} does not run this program: {ended}; install its packages "
                f"there: {python} -m pip install -e {ROOT}"
            )
        file = latest.implementation if isinstance(latest, Begin) else ""
        if file in without or Path(file) not in own_files():
            raise ValueError(f"{file or 'the list of implementations'} cannot be imported: {ended}")
        without[file] = f"ended the process that imported it: {ended}"
    raise ValueError(f"too many files end the process that imports them: {', '.join(without)}")


def _ask(
    process: Process, specs: list[str] | None, without: dict[str, str], cuda_device: str
) -> tuple[Message | None, str]:
    """The last message of the session, and why it ended; empty when it did not."""
    heard: list[Message] = []
    asked = None if specs is None else tuple(specs)
    task = ListImplementations(specs=asked, without=without, cores=cores(), cuda_device=cuda_device)
    ending = _asked(process, task, heard.append, LIMIT_S)
    latest = heard[-1] if heard else None
    if ending is None:
        return latest, ""
    process[1].end()
    return latest, ending.reason


def _asked(
    process: Process, task: Task, receive: Callable[[Message], None], limit_s: float
) -> Ending | None:
    """Do a task within a limit of time; how the process ended, None where it did not.

    An interrupted process is ended here: it is not in its pool meanwhile.
    """
    watch, session = process
    limits = watch.time_limit_s, watch.memory_limit
    watch.time_limit_s, watch.memory_limit = limit_s, _NO_LIMIT
    try:
        ending = session.ask(task, receive)
    except KeyboardInterrupt:
        session.end()
        raise
    watch.time_limit_s, watch.memory_limit = limits
    return ending
