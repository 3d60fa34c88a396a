"""The recorder of a process: numbers distinct calls, times them and writes lines."""

from __future__ import annotations

import atexit
import os
import platform
import threading
import traceback
from collections.abc import Callable
from functools import wraps
from time import perf_counter_ns
from typing import Any, Final

import torch
from torch import Tensor

from .calls import Call
from .device_clock import DeviceClock
from .kept import Kept
from .masks import Masks
from .places import place
from .raw_file import RawFile
from .step_profile import StepProfile

Describe = Callable[..., Call | None]
"""A call from the arguments of a function; None: it is not recorded."""
Alone = Callable[[Call], Callable[[], object]]
"""The attention of a call without what else the recorded function computes."""
PROBED: Final = (1, 2, 4, 8, 16)
"""Calls of a number after which its attention alone is timed."""
VIEWS: Final = ("Slice", "Transpose", "AsStrided", "Permute", "Alias")
FUSED: Final = ("ScaledDotProduct", "FlashAttn", "_fMHA", "FlexAttention")
"""Nodes of the autograd graph that compute the whole backward pass of a call, by their names."""


class Recorder:
    """Records the calls of a process.

    active  whether calls are recorded
    calls   calls so far
    masks   masks that were recognised
    undo    what takes the patches out again, in the order in which they came
    """

    def __init__(self, folder: str, keep: int, *, profiles: bool = False) -> None:
        self.active = True
        self.calls = 0
        self.masks = Masks()
        self.undo: list[Callable[[], object]] = []
        self._file = RawFile(folder)
        self._numbers: dict[tuple[Call, str], int] = {}
        self._counts: dict[int, int] = {}
        self._places: set[str] = set()
        self._faults: set[str] = set()
        self._kept = Kept(folder, keep)
        self._local = threading.local()
        self._clock = DeviceClock(self._file.write)
        self._profile = StepProfile(self._file.write) if profiles else None
        os.register_at_fork(after_in_child=self._forked)

    def wrapped(
        self, original: Callable[..., Any], describe: Describe, alone: Alone | None = None
    ) -> Callable[..., Any]:
        """The function, with its calls recorded.

        describe  gets the recorder, then the function's arguments
        alone     where the function computes more than attention
        """
        is_compiling = torch.compiler.is_compiling

        @wraps(original)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            if is_compiling() or not self.active:
                return original(*args, **kwargs)
            return self.record(original, describe, args, kwargs, alone)

        recorded.original = original  # type: ignore[attr-defined] # torch.compile takes the original
        return recorded

    def record(
        self,
        original: Callable[..., Any],
        describe: Describe,
        args: Any,
        kwargs: Any,
        alone: Alone | None = None,
    ) -> Any:
        """Call the function, and record the call."""
        if torch._C._get_tracing_state() is not None:  # noqa: SLF001 - torch.jit.is_tracing is slow
            return original(*args, **kwargs)
        if self._local.__dict__.get("inside"):
            return original(*args, **kwargs)
        on_device = is_on_cuda(args, kwargs)
        begun = self._clock.mark() if on_device else None
        started = perf_counter_ns()
        out = self._outermost(original, args, kwargs)
        took = perf_counter_ns() - started
        ended = self._clock.mark() if on_device else None
        try:
            call = describe(self, *args, **kwargs)
            if call is not None:
                number = self.number(call)
                untimed = on_device or self._is_profiling()
                self.write([number, started, None if untimed else took])
                if on_device:
                    self._clock.between(["time", number], begun, ended)
                if alone is not None and self._counts[number] in PROBED:
                    self._probe(number, alone(call), on_device=on_device)
                self._watch(out, number, call, args, kwargs)
        except Exception as error:  # noqa: BLE001 - the script goes on whatever fails in here
            self.fault(error)
        return out

    def _outermost(self, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the function; functions that it calls record nothing, unless it is a layer."""
        self._local.inside = not hasattr(original, "is_layer")
        try:
            return original(*args, **kwargs)
        finally:
            self._local.inside = False

    def number(self, call: Call) -> int:
        """The number of the distinct call, from this place; it is written when it is new."""
        self.calls += 1
        key = call, place()
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers)
            if number == 0:
                self.write({"machine": machine()})
            self.write({"call": number, "place": key[1], **call.data()})
        self._counts[number] = self._counts.get(number, 0) + 1
        return number

    def write(self, line: Any) -> None:
        """Append a line to the raw file."""
        self._file.write(line)

    def compiled(self) -> None:
        """Note a use of torch.compile, once for each place."""
        where = place()
        if where not in self._places:
            self._places.add(where)
            self.write({"compiled": where})

    def fault(self, error: Exception) -> None:
        """Note a call that could not be described, once for each error."""
        text = traceback.format_exception_only(error)[-1].strip()
        if text not in self._faults:
            self._faults.add(text)
            self.write({"fault": text, "place": place()})

    def step_begins(self, optimizer: int | None) -> None:
        """Note the beginning of a step of an optimizer; None: of one that has not stepped yet."""
        if self._profile is not None and optimizer is not None:
            self._profile.step_begins(optimizer)

    def step_ended(self, optimizer: int) -> bool:
        """Note the end of a step of an optimizer; whether the step was profiled."""
        try:
            return self._profile is not None and self._profile.step_ended(optimizer)
        except Exception as error:  # noqa: BLE001 - the script goes on whatever fails in here
            self._profile = None
            self.fault(error)
            return False

    def _is_profiling(self) -> bool:
        return self._profile is not None and self._profile.active

    def finish(self) -> None:
        """Write the times that a device still owes."""
        if os.getpid() == self._clock.process:
            self._clock.finish()

    def end(self) -> None:
        """Stop recording, take the patches out, and write the last times."""
        self.active = False
        for undo in reversed(self.undo):
            undo()
        self.finish()
        atexit.unregister(self.finish)

    def _watch(self, out: Any, number: int, call: Call, args: Any, kwargs: Any) -> None:
        tensor = out[0] if isinstance(out, tuple) else out
        if self._kept.wants(number, call):
            self._kept.keep(number, call, tensor, args, kwargs)
        node = tensor.grad_fn if isinstance(tensor, Tensor) else None
        if node is None:
            return
        fused = _fused(node)
        if fused is None:
            node.register_prehook(lambda _: self.write(["backward", number, None]))
        else:
            self._time_backward(fused, number, on_device=tensor.is_cuda)

    def _probe(self, number: int, alone: Callable[[], object], *, on_device: bool) -> None:
        begun = self._clock.mark() if on_device else None
        started = perf_counter_ns()
        alone()
        took = perf_counter_ns() - started
        if not on_device:
            self.write(["part", number, took])
        else:
            self._clock.between(["part", number], begun, self._clock.mark())

    def _time_backward(self, node: Any, number: int, *, on_device: bool) -> None:
        begun: list[Any] = []

        def before(_: Any) -> None:
            begun.append(self._clock.mark() if on_device else perf_counter_ns())

        def after(_: Any, __: Any) -> None:
            if on_device:
                self._clock.between(["backward", number], begun.pop(), self._clock.mark())
            else:
                took = perf_counter_ns() - begun.pop()
                self.write(["backward", number, None if self._is_profiling() else took])

        node.register_prehook(before)
        node.register_hook(after)

    def _forked(self) -> None:
        """A forked process numbers its calls anew, in a file of its own."""
        self._file.forget()
        self._numbers.clear()
        self._counts.clear()
        self._clock.forget()
        self._profile = None


def begin(folder: str, keep: int, *, profiles: bool = False) -> Recorder:
    """A recorder of this process for a folder; its last times are written at the exit."""
    recorder = Recorder(folder, keep, profiles=profiles)
    atexit.register(recorder.finish)
    return recorder


def is_on_cuda(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the first tensor is on an NVIDIA or AMD device."""
    first = next((each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)), None)
    return first is not None and first.is_cuda


def machine() -> dict[str, Any]:
    """Facts of the machine, by name."""
    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call] # torch
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "os": platform.platform(terse=True),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
    }


def _fused(node: Any) -> Any:
    """The node that computes the backward pass of attention, behind views at most; else None."""
    while node is not None and node.name().startswith(VIEWS):
        node = node.next_functions[0][0]
    return node if node is not None and node.name().startswith(FUSED) else None
