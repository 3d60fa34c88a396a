"""What is there to be measured, and on what: told by a process of its own, as data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from suites.engine.processes import Process, Processes
from suites.records import plan as plans
from suites.records.plan import Entry
from suites.records.record import CHECK

LIMIT_S: Final = 120.0
TRIES: Final = 10


def open_catalogue(
    specs: list[str] | None,
    *,
    threads: int,
    allocator: str = "default",
    processes: Processes | None = None,
) -> tuple[dict[str, Any], tuple[Entry, ...]]:
    """The machine, and the implementations that the specs select (None: all), as data.

    processes  of the run that follows; the one that answers goes on to be its check's

    A file of ours that ends the process becomes a missing one. Raises ValueError for a spec that
    selects nothing, or whose own file ends the process.
    """
    if processes is not None:
        return _opened(specs, threads, processes)
    with Processes(LIMIT_S, 1 << 62, allocator) as own:
        return _opened(specs, threads, own)


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _opened(
    specs: list[str] | None, threads: int, processes: Processes
) -> tuple[dict[str, Any], tuple[Entry, ...]]:
    without: dict[str, str] = {}
    for _ in range(TRIES):
        process = processes.take(CHECK, threads)
        heard, died_of = _asked(process, specs, without)
        if not died_of:
            processes.put_back(CHECK, process)
            if "refused" in heard:
                raise ValueError(heard["refused"]["reason"])
            entries = tuple(plans.entry_from_json(e) for e in heard["catalogue"]["entries"])
            return heard["catalogue"]["machine"], entries
        at_fault = heard.get("begin", {}).get("implementation", "")
        if at_fault in without or not Path(at_fault).is_file():
            raise ValueError(f"{at_fault or 'the catalogue'} cannot be imported: {died_of}")
        without[at_fault] = f"ended the process that imported it: {died_of}"
    raise ValueError(f"too many files end the process that imports them: {', '.join(without)}")


def _asked(
    process: Process, specs: list[str] | None, without: dict[str, str]
) -> tuple[dict[str, dict[str, Any]], str]:
    """What a process told, by the kind of message, and why it died; empty when it did not."""
    heard: dict[str, dict[str, Any]] = {}
    watch, session = process
    limits = watch.time_limit_s, watch.memory_limit
    watch.time_limit_s, watch.memory_limit = LIMIT_S, 1 << 62
    task = {"task": "catalogue", "specs": specs, "without": without, "cores": cores()}
    ending = session.ask(task, lambda message: heard.update({message["kind"]: message}))
    watch.time_limit_s, watch.memory_limit = limits
    if ending is None:
        return heard, ""
    session.end()
    return heard, ending.reason
