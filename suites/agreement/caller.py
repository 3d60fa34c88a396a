"""Calls of one implementation: each within a guard, each counted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.measure.inputs import Inputs, bind, call_of
from suites.measure.timing import counted

Guard = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls an implementation.

    guard    what every call runs within
    took_ms  what the calls took so far, milliseconds of wall time
    """

    implementation: Implementation
    guard: Guard = contextlib.nullcontext
    took_ms: list[float] = field(default_factory=list)

    def call(
        self, problem: Problem, given: Inputs, between: Inputs | None = None
    ) -> Callable[[], tuple[Tensor, ...]]:
        """The whole call on these inputs, with gradients in training.

        between  inputs of another call that is made between forward and backward
        """
        bound = bind(self.implementation, problem, given)
        return self._watched(call_of(bound, given, between=between))

    def function(self, problem: Problem, given: Inputs) -> Callable[..., Tensor]:
        """The forward pass as a function of q, k and v; all else is given."""
        return self._watched(bind(self.implementation, problem, given))

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        counts = counted(function, self.took_ms)

        def watched(*given: Any) -> Any:
            with self.guard():
                return counts(*given)

        return watched
