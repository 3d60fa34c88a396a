"""What an implementation did becomes a record, whatever it was.

Here stands the one broad `except` of the program.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import impls
from impls.interface import Implementation, Missing
from suites.engine.messages import Sender
from suites.records import record
from suites.records.record import Record, Status

Task = dict[str, Any]


def keep(task: Task, name: str, sender: Sender, answer: Callable[[], Record | None]) -> None:
    """Let an implementation answer, and send the record of it, or of how it failed."""
    sender.send("begin", problem=task["problem"], implementation=name)
    try:
        made = answer()
    except BaseException as error:  # noqa: BLE001 - whatever it did becomes its record
        send_fault(task, name, sender, error)
        return
    if made is not None:
        sender.send("record", record=record.to_json(made))


def send_fault(task: Task, name: str, sender: Sender, error: BaseException) -> None:
    """The record of an exception. After running out of memory the process ends: it is not sound."""
    status, reason = _fault(error, task["memory_limit"])
    made = Record(
        session=task["session"],
        problem=task["problem"],
        implementation=name,
        status=status,
        reason=reason,
    )
    sender.send("record", record=record.to_json(made))
    if status == "out_of_memory":
        os._exit(0)


def _fault(error: BaseException, memory_limit: int) -> tuple[Status, str]:
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    text = " ".join(str(error).split())[:300] + notes
    if isinstance(error, torch.OutOfMemoryError):
        return "out_of_memory", text
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        limit = f"one call may add {memory_limit / 2**30:.2f} GiB (--memory-limit)"
        return "out_of_memory", f"{limit}: {text or type(error).__name__}"
    return "failed", f"{type(error).__name__}: {text}" if text else type(error).__name__


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
