"""What an implementation did becomes a record, whatever it was.

Here stands the one broad `except` of the program.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

import impls
from impls.interface import Implementation, Missing
from suites.engine.messages import Sender, one_line
from suites.process_state.state import DisturbedError, ProcessState
from suites.process_state.watched import Watched
from suites.records import record
from suites.records.record import Record, Status

Task = dict[str, Any]
MOST_NOTES: Final = 3
"""Notes of an exception that a reason quotes."""


def keep(
    task: Task, name: str, sender: Sender, answer: Callable[[], Record | None], *more: Watched
) -> bool:
    """Let an implementation answer; send the record of it, or of how it failed. Whether it did not.

    more  what else it has to leave as it was

    What it has done to the process is a fault, too, whatever it answered.
    """
    sender.send("begin", problem=task["problem"], implementation=name)
    before = ProcessState(*more)
    try:
        made = answer()
    except BaseException as error:  # noqa: BLE001 - whatever it did becomes its record
        made = _fallen(task, name, error)
    return _conclude(task, name, sender, made, before)


def send_fault(
    task: Task, name: str, sender: Sender, error: BaseException, before: ProcessState
) -> None:
    """The record of an exception.

    before  the process as it was before the implementation's turn
    """
    _conclude(task, name, sender, _fallen(task, name, error), before)


def _conclude(
    task: Task, name: str, sender: Sender, made: Record | None, before: ProcessState
) -> bool:
    """Send a record; whether it is none of a fault. A process that is not sound any more ends."""
    changes = before.changes()
    if before.left_threads:
        sender.send("threads", implementation=name)  # one of them may end the process later
    if changes and (made is None or made.status == "ok"):
        made = _fallen(task, name, DisturbedError(changes))
    elif changes and made is not None and changes not in made.reason:
        made = replace(made, reason=f"{made.reason}; it also {changes}")
    if made is not None:
        sender.send("record", record=record.to_json(made))
    out_of_memory = made is not None and made.status == "out_of_memory"
    if out_of_memory or (changes and not before.restore()):
        os._exit(0)
    return made is None or made.status == "ok"


def _fallen(task: Task, name: str, error: BaseException) -> Record:
    status, reason = _fault(error, task["memory_limit"])
    return Record(
        session=task["session"],
        problem=task["problem"],
        implementation=name,
        status=status,
        reason=reason,
    )


def _fault(error: BaseException, memory_limit: int) -> tuple[Status, str]:
    kind, text = one_line(type(error).__name__), _words_of(error)
    if isinstance(error, DisturbedError):
        return "failed", text
    if isinstance(error, torch.OutOfMemoryError):
        return "out_of_memory", text
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        limit = f"one call may add {memory_limit / 2**30:.2f} GiB (--memory-limit)"
        return "out_of_memory", f"{limit}: {text or kind}"
    return "failed", f"{kind}: {text}" if text else kind


def _words_of(error: BaseException) -> str:
    """Its message and notes, however long or odd they are."""
    try:
        notes = [str(note) for note in getattr(error, "__notes__", ())]
        text = str(error)
    except BaseException as another:  # noqa: BLE001 - an implementation's exceptions are its code
        return f"its message cannot be read: {one_line(type(another).__name__)}"
    return "".join((one_line(text), *(f" ({one_line(note)})" for note in notes[:MOST_NOTES])))


def resolve(name: str, files: dict[str, str]) -> Implementation:
    """The implementation printed as `name`, from the files that define it and its inner one."""
    known: dict[str, Implementation | Missing] = {
        defined: impls.load_file(Path(file), defined)[0] for defined, file in files.items()
    }
    return impls.select([name], known)[0]


def forget(each: Implementation) -> None:
    """Empty the caches of its files, so that its first call on every problem includes set-up."""
    for part in filter(None, (each, each.inner)):
        for value in list(vars(sys.modules[part.function.__module__]).values()):
            if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001 - the type's only name
                value.cache_clear()
