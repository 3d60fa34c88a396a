"""One step of an optimizer under torch's profiler: the operators that it calls, and their time.

It is on where a person asks for it: the profiled step is slower, and torch runs one profiler at a
time.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any, Final

import torch

AFTER: Final = 3
"""The step whose end starts the profiler: the first ones compile and allocate."""
STEP: Final = "attnbench.optimizer_step"
"""The range of the optimizer's own step. torch's range of it ends after the profiler."""
_PHASES: Final = {
    "autograd::engine::evaluate_function": "backward",
    STEP: "optimizer",
    "Optimizer.": "optimizer",
    "enumerate(DataLoader)": "data loading",
}
"""Phases by the beginning of a range's name; all other operators are called forward."""
_ATTENTION: Final = (
    "aten::scaled_dot_product_attention",
    "aten::_scaled_dot_product",
    "aten::_flash_attention",
    "aten::_efficient_attention",
)
_PRINTED: Final = re.compile(rb"[A-Z]+:\d{4}-\d\d-\d\d \S+ \S+ \w+\.cpp:\d+\]")
"""Lines of the profiler on standard error: USDT:2026-01-02 03:04:05 7:7 Handler.cpp:52] start."""


class StepProfile:
    """Profiles the fourth step of the first optimizer.

    active  whether the profiler runs; calls are not timed meanwhile
    """

    def __init__(self, write: Callable[[Any], None]) -> None:
        self.active = False
        self._write = write
        self._steps = 0
        self._profiler: Any = None
        self._range: Any = None
        self._started = 0

    def step_begins(self, optimizer: int) -> None:
        """Note the beginning of a step."""
        if optimizer == 0 and self.active:
            self._range = torch.profiler.record_function(STEP)
            self._range.__enter__()

    def step_ended(self, optimizer: int) -> bool:
        """Note the end of a step; whether that step was profiled."""
        if optimizer != 0:
            return False
        self._steps += 1
        if self._steps == AFTER:
            self._start()
        elif self.active:
            self._stop()
            return True
        return False

    def _start(self) -> None:
        reason = _impossible()
        if reason:
            self._write({"unprofiled": reason})
            return
        with _without_its_lines():
            self._profiler = torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True
            )
            self._profiler.start()
        self.active = True
        self._started = perf_counter_ns()

    def _stop(self) -> None:
        took_ms = (perf_counter_ns() - self._started) / 1e6
        self.active = False
        self._range.__exit__(None, None, None)
        with _without_its_lines():
            self._profiler.stop()
        self._write({"profiled": took_ms, "operators": operators(self._profiler.events())})
        self._profiler = None


def operators(events: Iterable[Any]) -> list[list[Any]]:
    """Name, phase, whether it is part of attention, calls and self milliseconds of operators.

    events  of the profiler, with a range `STEP`; those of its thread count
    """
    every = list(events)
    thread = next(each.thread for each in every if each.name == STEP)
    places: dict[int, tuple[str, bool]] = {}
    sums: dict[tuple[str, str, bool], list[float]] = defaultdict(lambda: [0, 0.0])
    for each in every:
        if each.thread == thread:
            found = sums[(each.name.partition("#")[0], *_place(each, places))]
            found[0] += 1
            found[1] += each.self_cpu_time_total / 1e3
    return [[*key, *found] for key, found in sums.items()]


def _place(event: Any, known: dict[int, tuple[str, bool]]) -> tuple[str, bool]:
    """Phase of an event, and whether attention called it: its own, or those of its caller."""
    if event.id in known:
        return known[event.id]
    caller = event.cpu_parent
    phase, attention = ("forward", False) if caller is None else _place(caller, known)
    own = next((value for name, value in _PHASES.items() if event.name.startswith(name)), phase)
    known[event.id] = own, attention or event.name.startswith(_ATTENTION)
    return known[event.id]


def _impossible() -> str:
    """Why no step can be profiled; empty where one can."""
    if torch._C._autograd._profiler_enabled():  # noqa: SLF001 - torch has no public one
        return "the script uses a profiler of its own"
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # torch
        return "the script uses a CUDA device, and operators are timed on the CPU"
    return ""


@contextmanager
def _without_its_lines() -> Iterator[None]:
    """Standard error without the lines that the profiler prints when it starts and stops."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            os.write(2, b"".join(line for line in file if not _PRINTED.match(line)))
