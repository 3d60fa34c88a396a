"""A step of a model in the timed rounds: its batches, its calls and their outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Literal, cast

from torch import Tensor

from suites.engine.layer_arms import LayerArms
from suites.engine.protocol import Measure
from suites.engine.set_up import SetUp
from suites.measure.devices import Device
from suites.measure.gradients import GradientMode
from suites.measure.preparing import Preparation
from suites.measure.rounds import Arm
from suites.models.clocks import Clocks
from suites.models.proof import changed
from suites.models.steps import ModelSteps, Step
from suites.process_state.watched import Watched
from suites.records.in_model import InModel

BATCHES: Final = 2
"""Batches that the calls of a step take in turn."""
FIRST_SEED: Final = 1000
"""Seeds of a session's batches begin at a multiple of it: the check has smaller ones."""


class ModelBatches:
    """The batches of a problem in a session; nothing changes them."""

    def __init__(self, steps: ModelSteps, session: int) -> None:
        first = FIRST_SEED * session
        self.sets = [steps.given(first + index) for index in range(BATCHES)]

    def refresh(self) -> None:
        """Leave them: a word with another sign is no word."""

    @property
    def watched(self) -> Watched:
        """The state of them that an implementation must leave unchanged."""
        return Watched("the batch of the model", self._state, quick=True)

    def _state(self) -> list[tuple[int, int]]:
        return [(x.data_ptr(), x._version) for each in self.sets for x in each.tensors]  # noqa: SLF001 - torch's counter of writes


class TimedModel:
    """The model of a problem in the rounds of a session."""

    def __init__(
        self,
        task: Measure,
        device: Device,
        limited: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._steps = ModelSteps(task.problem, task.seed)
        self._session, self._limited = task.session, limited
        self.inputs = ModelBatches(self._steps, task.session)
        self.layers = LayerArms(task, device.clock)
        self._clocks: dict[str, tuple[Clocks, Step]] = {}

    def calls(self, preparation: Preparation, mode: GradientMode) -> list[Step]:
        """The step with an implementation in the model's layers, for each batch."""
        del mode  # gradients of parameters are taken by autograd.grad
        each = preparation.implementation
        clocks = Clocks(self._steps.problem.device)
        model = self._steps.within(each, clocks.around).model
        steps = [self._steps.step(model, given) for given in self.inputs.sets]
        self._clocks[str(each)] = clocks, steps[0]
        return steps

    def add_beside(self, arm: Arm, preparation: Preparation, mode: GradientMode) -> None:
        """Nothing: its layers are around it already."""

    def inputs_from(self, arm: Arm) -> Literal[""]:
        """Unknown: a step reads the weights of the model between two calls."""
        del arm
        return ""

    def in_model(self, implementation: str) -> InModel:
        """The times of its attention within a few more steps."""
        clocks, step = self._clocks[implementation]
        with self._limited():
            return clocks.timed(step)

    def are_compared(self, arm: Arm) -> bool:
        """Whether the last answer of an arm is compared in this session: in the first one."""
        del arm
        return self._session == 1

    def last_fault(self, arm: Arm, found: SetUp) -> str:
        """The fault of a further answer; empty for none."""
        with self._limited():
            made = arm.calls[-1]()
        return self.long_fault(found, cast("Sequence[Tensor]", made))

    def long_fault(self, found: SetUp, latest: Sequence[Tensor]) -> str:
        """The fault of an answer beside that of the model's own attention; empty for none."""
        del found
        own = self._steps.step(self._steps.built.model, self.inputs.sets[-1])()
        return changed(latest[0], own[0])
