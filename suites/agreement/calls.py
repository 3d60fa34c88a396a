"""Calls of one implementation, each within a memory guard and timed; and its inputs' writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.measure.gradients import GradientMode
from suites.measure.inputs import Inputs, bind, call_of
from suites.measure.timing import counted

Guard = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls an implementation.

    guard    the context of every call: a limit on its memory
    took_ms  wall time of every call so far, in milliseconds
    modes    how gradients were taken, an entry for each `call`
    """

    implementation: Implementation
    guard: Guard = contextlib.nullcontext
    took_ms: list[float] = field(default_factory=list)
    modes: list[GradientMode] = field(default_factory=list)

    def call(
        self, problem: Problem, given: Inputs, between: Inputs | None = None
    ) -> Callable[[], tuple[Tensor, ...]]:
        """The whole call on these inputs, with gradients in training.

        between  inputs of another call between forward and backward
        """
        bound = bind(self.implementation, problem, given)
        self.modes.append(GradientMode())
        return self._guarded(call_of(bound, given, between=between, mode=self.modes[-1]))

    def function(self, problem: Problem, given: Inputs) -> Callable[..., Tensor]:
        """The forward pass as a function of q, k and v; all else is fixed."""
        return self._guarded(bind(self.implementation, problem, given))

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        timed = counted(function, self.took_ms)

        def guarded(*given: Any) -> Any:
            with self.guard():
                return timed(*given)

        return guarded


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
