"""Turns whatever an implementation did into a record.

The broad `except` of the program stands here; suites/agreement/attempts.py tries sizes.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import impls
from impls.interface import Implementation, Missing
from impls.interface.reading import Reading
from suites.agreement.refused_feature import cause_of
from suites.engine.messages import Begin, LeftThreads, Made
from suites.engine.pipe import Sender, one_line
from suites.engine.protocol import Check, Measure, ReadWeights, TakeProfile, Train
from suites.engine.ranks.group_call import Limited, grouped
from suites.engine.ranks.messages import Source
from suites.measure import device_errors
from suites.measure.affinity import on_all_cpus
from suites.measure.device_errors import HINT
from suites.measure.group_errors import GroupError
from suites.process_state.state import DisturbedError, ProcessState
from suites.process_state.watched import Watched
from suites.records.record import Cause, Record, Status

MOST_OF_A_GROUP: Final = 600
"""Characters of a reason that says what each rank of a group did."""
MOST_NOTES: Final = 3
"""Notes of an exception that a reason quotes."""

_USUAL_IMPORTS: Final = {
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "nn": "from torch import nn",
    "np": "import numpy as np",
    "Tensor": "from torch import Tensor",
    "einsum": "from torch import einsum",
    "rearrange": "from einops import rearrange",
}
"""Imports that files often leave out, by the name that they define."""

OnProblem = Check | Measure | TakeProfile | Train | ReadWeights
_NO_MEMORY: Final = ("can't allocate memory", "Failed to allocate")
"""Text of a plain RuntimeError where there is no memory: of torch's CPU allocator; of ONNX Runtime
and OpenVINO."""


def recorded(
    task: OnProblem, name: str, sender: Sender, work: Callable[[], Record | None], *more: Watched
) -> bool:
    """Do an implementation's work and send the record it gives, or the record of its failure.

    more  state beside the process's that it must leave unchanged

    Returns whether it did not fail. Changed process state is a failure whatever the work gave.
    """
    sender.send(Begin(problem=task.problem, implementation=name))
    before = ProcessState(*more, alone=task.alone)
    try:
        made = work()
        device_errors.synchronize()  # an error of its kernels is raised here, not in the next one
    except BaseException as error:  # noqa: BLE001 - an implementation may raise anything
        made = _failed(task, name, error)
    return _conclude(task, name, sender, made, before)


def send_failure(
    task: OnProblem, name: str, sender: Sender, error: BaseException, before: ProcessState
) -> None:
    """Send the record of an exception.

    before  the process state before the implementation was at work
    """
    _conclude(task, name, sender, _failed(task, name, error), before)


def _conclude(
    task: OnProblem, name: str, sender: Sender, made: Record | None, before: ProcessState
) -> bool:
    """Send a record; end the process where its state cannot be restored."""
    if before.left_threads:
        sender.send(LeftThreads(implementation=name))  # one of them may end the process later
    if made is not None and made.cause == "device_error":
        sender.send(Made(record=made))
        os._exit(0)  # every CUDA call fails from now on, also those that read the process state
    changes = before.changes()
    if changes and (made is None or made.status == "ok" or before.replaced_functions):
        made = _failed(task, name, DisturbedError(changes))
    elif changes and made is not None and made.cause != "process_state":
        made = replace(made, reason=f"{made.reason}; it also {changes}")
    if made is not None:
        sender.send(Made(record=made))
    out_of_memory = made is not None and made.status == "out_of_memory"
    if out_of_memory or (changes and not before.restore()):
        os._exit(0)
    return made is None or made.status == "ok"


def _failed(task: OnProblem, name: str, raised: BaseException) -> Record:
    error = device_errors.surfaced(raised)
    status, cause, reason = _fault(error, task.settings.memory_limit)
    found = cause_of(error) if cause == "exception" else None
    return Record(
        session=task.session,
        problem=task.problem,
        implementation=name,
        status=status,
        cause=cause,
        reason=found.reason(reason) if found else reason,
        slip=found.slip if found else "",
        cure=found.cure if found else "",
    )


def said(error: BaseException) -> str:
    """Type and message of an exception on one line."""
    kind, text = one_line(type(error).__name__), _message(error)
    return f"{kind}: {text}" if text else kind


def no_memory(error: BaseException) -> bool:
    """Whether an exception says that there is too little memory."""
    if isinstance(error, MemoryError) or device_errors.is_out_of_memory(error):
        return True
    return any(text in _message(error) for text in _NO_MEMORY)


def _fault(error: BaseException, memory_limit: int) -> tuple[Status, Cause, str]:
    if isinstance(error, GroupError):
        return error.status, error.cause, one_line(str(error), MOST_OF_A_GROUP)
    kind, text = one_line(type(error).__name__), _message(error)
    if isinstance(error, DisturbedError):
        return "failed", "process_state", text
    if device_errors.is_out_of_memory(error):
        return "out_of_memory", "device_memory", text
    if device_errors.ends_cuda(error):
        return "failed", "device_error", f"the device failed: {_message(error, lines=1)}; {HINT}"
    if isinstance(error, MemoryError) or any(said in text for said in _NO_MEMORY):
        limit = f"one call may add {memory_limit / 2**30:.2f} GiB (--memory-limit)"
        return "out_of_memory", "memory_limit", f"{limit}: {text or kind}"
    return "failed", "exception", f"{kind}: {text}" if text else kind


def _message(error: BaseException, lines: int | None = None) -> str:
    """Message and notes of an exception on one line.

    lines  of the message that are used, None: all. CUDA's first line is followed by advice
    """
    try:
        notes = [str(note) for note in getattr(error, "__notes__", ())]
        text = str(error)
        if lines is not None:
            text = "\n".join(text.splitlines()[:lines])
    except BaseException as another:  # noqa: BLE001 - an implementation's exceptions are its code
        return f"its message cannot be read: {one_line(type(another).__name__)}"
    if isinstance(error, NameError) and (hint := _missing_import(error)):
        text = hint  # it names the unknown name, too
    return "".join((one_line(text), *(f" ({one_line(note)})" for note in notes[:MOST_NOTES])))


def _missing_import(error: NameError) -> str:
    """The line that uses an unknown name, and the import to add; empty for an unusual name."""
    name, frames = error.name or "", traceback.extract_tb(error.__traceback__)
    standard = f"import {name}" if name in sys.stdlib_module_names else ""
    usual = _USUAL_IMPORTS.get(name, standard)
    return f"line {frames[-1].lineno} uses {name}: add {usual}" if usual and frames else ""


def resolve_in(task: OnProblem, name: str) -> Implementation:
    """The implementation that a task names; one of a group can be called in its processes."""
    spec, files = task.specs.get(name, name), task.files[name]
    readings, hashes = task.readings.get(name, {}), task.hashes.get(name, {})
    limited = Limited(task.settings.time_limit_s, task.settings.memory_limit)
    source = Source(spec=spec, files=files, readings=readings, hashes=hashes)
    return grouped(resolve(spec, files, readings, hashes), source, limited)


def resolve(
    spec: str,
    files: dict[str, str],
    readings: Mapping[str, Reading] = MappingProxyType({}),
    hashes: Mapping[str, str] = MappingProxyType({}),
) -> Implementation:
    """The implementation that its files print as `spec`, from the files of it and its inner one.

    readings  how each of them is called, by name
    hashes    of the files, as the plan has them: every record is of that code

    Raises ValueError for a file that has changed since.
    """
    for defined, file in files.items():
        if (expected := hashes.get(defined)) and (found := impls.fingerprint(file)) != expected:
            raise ValueError(
                f"{file} has changed since the run began: its hash is {found}, expected "
                f"{expected}; start a new run"
            )
    with on_all_cpus():  # importing may start threads, which inherit the CPUs of this one
        known: dict[str, Implementation | Missing] = {
            defined: impls.load_file(Path(file), defined)[0].reading(readings.get(defined))
            for defined, file in files.items()
        }
    selected = impls.select([spec], known)[0]
    with on_all_cpus():
        for part in filter(None, (selected, selected.inner)):
            if part.library is not None:
                part.library.imported()  # not while it prepares: importing is timed nowhere
    return selected


def fault_of(work: Callable[[], str]) -> tuple[str, bool]:
    """The fault that work returns or raises as text, and whether it raised.

    Ends the process where CUDA cannot be used any more.
    """
    try:
        found = work()
        device_errors.synchronize()
    except BaseException as raised:  # noqa: BLE001 - an implementation may raise anything
        error = device_errors.surfaced(raised)
        if device_errors.ends_cuda(error):
            os._exit(1)
        return f"{one_line(type(error).__name__)}: {_message(error)}", True
    return found, False


def clear_caches(each: Implementation) -> None:
    """Empty the caches of its files, so that its first call on every problem includes set-up."""
    if each.group_call is not None:
        each.group_call.forget()
    for part in filter(None, (each, each.inner)):
        for value in list(vars(sys.modules[part.module]).values()):
            if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001 - the type's only name
                value.cache_clear()
