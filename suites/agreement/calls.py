"""Calls of one implementation, each within a memory guard and timed; and its inputs' writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from impls.interface import AttentionFunction, Implementation, Problem
from suites.agreement.attempts import OtherDeviceError
from suites.measure.gradients import GradientMode
from suites.measure.inputs import Inputs, call_of
from suites.measure.preparing import Preparation
from suites.measure.timing import counted

Guard = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls an implementation.

    preparation  prepares it, once for each problem; callers of the same implementation share it
    guard        the context of every call: a limit on its memory
    took_ms      time of every call so far, in milliseconds, to the end of its work on the device
    modes        how gradients were taken, an entry for each `call`
    """

    preparation: Preparation
    guard: Guard = contextlib.nullcontext
    took_ms: list[float] = field(default_factory=list)
    modes: list[GradientMode] = field(default_factory=list)

    @property
    def implementation(self) -> Implementation:
        """The implementation that is called."""
        return self.preparation.implementation

    def call(
        self, problem: Problem, given: Inputs, between: Inputs | None = None
    ) -> Callable[[], tuple[Tensor, ...]]:
        """The whole call on these inputs, with gradients in training.

        between  inputs of another call between forward and backward
        """
        _expect_on_device(problem, given)
        bound = self._bind(problem, given)
        self.modes.append(GradientMode())
        whole = call_of(bound, given, between=between, mode=self.modes[-1])
        kind = (str(problem), _form(given.q, given.k, given.v), "whole")
        return self._guarded(whole, kind, problem)

    def function(self, problem: Problem, given: Inputs) -> Callable[..., Tensor]:
        """The forward pass as a function of q, k and v; all else is fixed."""
        _expect_on_device(problem, given)
        return self._guarded(self._bind(problem, given), str(problem), problem)

    def apart(self) -> Caller:
        """A caller of the same implementation that counts its own times and prepares anew."""
        return Caller(self.preparation.again(), self.guard)

    def prepare(self, problem: Problem) -> None:
        """Do the set-up for a problem, unless it is done."""
        with self.guard():
            self.preparation.bound(problem)

    def _bind(self, problem: Problem, given: Inputs) -> AttentionFunction:
        self.prepare(problem)
        return self.preparation.bind(problem, given)

    def _guarded(
        self, function: Callable[..., Any], kind: Hashable, problem: Problem
    ) -> Callable[..., Any]:
        """The function within the guard.

        kind  of its calls, besides the form of their tensors; it holds no mask, since a probe tests
              what happens when one is dropped
        """
        timed = counted(function, self.took_ms, problem.device)

        def guarded(*given: Any) -> Any:
            _expect_same_device(problem, given)
            with self.guard(), self.preparation.first((kind, _form(*given)), problem):
                return timed(*given)

        return guarded


def _form(*tensors: Tensor) -> Hashable:
    """All that a compiler may specialize a function for."""
    each = tuple((x.shape, x.stride(), x.dtype, x.requires_grad) for x in tensors)
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()
    return each, modes


def _expect_on_device(problem: Problem, given: Inputs) -> None:
    _expect_same_device(problem, [tensor for _, tensor in tensors_of(given)])


def _expect_same_device(problem: Problem, tensors: Iterable[Tensor]) -> None:
    """Raise OtherDeviceError for a tensor on another kind of device than the problem's."""
    wanted = torch.device(problem.device).type
    for x in tensors:
        if x.device.type != wanted:
            raise OtherDeviceError(
                f"a fault of the check: it made a tensor on {x.device} for a problem on {wanted}"
            )


def versions_of(inputs: Inputs) -> list[int]:
    """Torch's write counter of each input."""
    return [tensor._version for _, tensor in tensors_of(inputs)]  # noqa: SLF001 - no public name


def tensors_of(inputs: Inputs) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that an implementation gets, by name."""
    yield from (("q", inputs.q), ("k", inputs.k), ("v", inputs.v))
    if inputs.grad is not None:
        yield "grad", inputs.grad
    if inputs.bias is not None:
        yield "bias", inputs.bias.values
    if inputs.sink is not None:
        yield "sink", inputs.sink
