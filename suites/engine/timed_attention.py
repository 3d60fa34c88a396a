"""An attention call in the timed rounds: its inputs, its calls and their outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from torch import Tensor

from suites.engine.layer_arms import LayerArms
from suites.engine.protocol import Measure
from suites.engine.set_up import SetUp
from suites.engine.timed_inputs import TimedInputs, timed_sets
from suites.engine.timed_outputs import TimedOutputs
from suites.measure import timing
from suites.measure.devices import Device, InputsFrom
from suites.measure.gradients import GradientMode
from suites.measure.inputs import call_of
from suites.measure.preparing import Preparation
from suites.measure.rounds import Arm


class TimedAttention:
    """The attention call of a problem in the rounds of a session."""

    def __init__(
        self,
        task: Measure,
        device: Device,
        limited: Callable[[], AbstractContextManager[None]],
    ) -> None:
        sets = timed_sets(
            task.problem,
            device.input_sets(task.problem),
            session=task.session,
            seed=task.seed,
            files=task.inputs,
        )
        self.inputs = TimedInputs(sets, task.seed, keep_scores=bool(task.inputs))
        self.layers = LayerArms(task, device.clock)
        self._problem, self._device = task.problem, device
        self._outputs = TimedOutputs(task, self.inputs, device.clock, limited)

    def calls(self, preparation: Preparation, mode: GradientMode) -> list[timing.Call]:
        """The call on each set of inputs."""
        return [call_of(preparation.bind(self._problem, x), x, mode=mode) for x in self.inputs.sets]

    def add_beside(self, arm: Arm, preparation: Preparation, mode: GradientMode) -> None:
        """Make the second arm of an implementation, in a layer, where one is wanted."""
        functions = [preparation.bind(self._problem, x) for x in self.inputs.sets]
        self.layers.add(arm, functions, self.inputs.sets, mode)

    def inputs_from(self, arm: Arm) -> InputsFrom:
        """Where a hot call finds its inputs."""
        return self._device.inputs_from(self._problem, arm.count)

    def in_model(self, implementation: str) -> None:
        """None: no model is around the call."""

    def are_compared(self, arm: Arm) -> bool:
        """Whether the last output of an arm is compared in this session."""
        return self._outputs.are_compared(arm)

    def last_fault(self, arm: Arm, found: SetUp) -> str:
        """The fault of two more outputs; empty for none."""
        return self._outputs.last_fault(arm, found)

    def long_fault(self, found: SetUp, latest: Sequence[Tensor]) -> str:
        """The fault of the output of a long call, which is timed once; empty for none."""
        return self._outputs.fault(found, self.inputs.sets[-1], latest, again=False)
