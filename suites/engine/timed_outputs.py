"""The outputs of timed calls: the last ones are compared with the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final, cast

from torch import Tensor

from suites.agreement import timed_outputs
from suites.engine.call_limits import quiet
from suites.engine.protocol import Measure
from suites.engine.set_up import SetUp
from suites.engine.timed_inputs import TimedInputs
from suites.measure import timing
from suites.measure.inputs import Inputs
from suites.measure.rounds import Arm
from suites.measure.timing import Clock

COMPARED_MS: Final = 5.0
"""Calls up to so many ms have their last output compared in every session, longer ones in the first
only: a few more of these would take as long as their samples."""


@dataclass(frozen=True, slots=True)
class TimedOutputs:
    """Compares outputs of one problem.

    limited  the context of calls: a limit on their memory
    """

    task: Measure
    inputs: TimedInputs
    clock: Clock
    limited: Callable[[], AbstractContextManager[None]]

    def are_compared(self, arm: Arm) -> bool:
        """Whether the last output of an arm is compared in this session."""
        return self.task.session == 1 or arm.call_ms <= COMPARED_MS

    def last_fault(self, arm: Arm, found: SetUp) -> str:
        """The fault of two more outputs; empty for none.

        The first, in session 1 and for quick calls, is on inputs with other signs: a cache keyed by
        absolute values returns a wrong result. The second is the last output of a sample.
        """
        if arm.leads_in and self.task.session == 1:
            self.inputs.refresh()
            with quiet(collected=False), self.limited():
                plain = timing.counted(arm.calls[0], found.took_ms, self.task.problem.device)()
            if fault := self.fault(found, self.inputs.sets[0], plain, again=False):
                return fault
        self.inputs.refresh()
        with ExitStack() as stack:
            with quiet(collected=False), self.limited():
                sample = timed_outputs.sampled(arm, self.inputs.sets, self.clock, found.took_ms)
                made, inputs = stack.enter_context(sample)
            again = self.task.session == 1 and arm.call_ms < timing.LEAD_IN_BELOW_MS
            return self.fault(found, inputs, made, again=again)

    def fault(self, found: SetUp, inputs: Inputs, made: Sequence[Tensor], *, again: bool) -> str:
        """The fault of an output; empty for none.

        again  whether a second call on the same inputs is compared as well
        """
        seed = f"{self.task.seed}|{self.task.session}|{self.task.problem}|{found.implementation}"
        random = Random(seed)
        watched = partial(self._watched, took_ms=found.took_ms)
        return timed_outputs.fault(
            found.preparation, self.task.problem, inputs, made, random, watched, again=again
        )

    def _watched(self, call: timed_outputs.Watched, took_ms: list[float]) -> timed_outputs.Watched:
        """The call within the memory limit; its milliseconds are appended to a list."""

        def watched() -> tuple[Tensor, ...]:
            with self.limited():
                return cast("tuple[Tensor, ...]", counted())

        counted = timing.counted(call, took_ms, self.task.problem.device)
        return watched
