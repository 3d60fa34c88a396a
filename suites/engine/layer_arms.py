"""Arms of the rounds that time calls a second time, inside layers of dense work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Final

from torch import Tensor

from impls.bridges.substitution import looked_up
from suites.engine.protocol import Measure
from suites.measure import timing
from suites.measure.gradients import GradientMode
from suites.measure.inputs import Inputs
from suites.measure.layer_work import LAYERS, is_short
from suites.measure.layers import Layers
from suites.measure.rounds import Arm
from suites.measure.timing import Clock

TWIN: Final = "twin of "
IN_LAYER: Final = "in a layer: "
"""Before the name of an implementation, in the names of its further arms."""


def implementation_of(arm: str) -> str:
    """The implementation of an arm, by the arm's name."""
    return arm.removeprefix(TWIN).removeprefix(IN_LAYER)


class LayerArms:
    """The arms in a layer of one problem, by implementation; none where the task wants none.

    Calls of all but the baseline come after the look-up of a substitution, as in a script with it.
    On a CPU only: how layers around a call act on a GPU was not measured. None where layers take
    too long, either, and none in a model, which has its own.
    """

    def __init__(self, task: Measure, clock: Clock) -> None:
        alone = task.in_layer and not task.problem.model
        wanted = alone and task.problem.device == "cpu" and is_short(task.problem)
        self._layers = Layers(task.problem) if wanted else None
        self._clock, self._current = clock, task.twin_of
        self.arms: dict[str, Arm] = {}

    def add(
        self,
        arm: Arm,
        functions: Sequence[Callable[..., Tensor]],
        sets: Sequence[Inputs],
        mode: GradientMode,
    ) -> None:
        """Make the second arm of an implementation.

        arm        of its calls alone, warm
        functions  of q, k and v, one for each set of inputs
        """
        if self._layers is None:
            return
        if arm.name != self._current:
            functions = [looked_up(each) for each in functions]
        pairs = zip(functions, sets, strict=True)
        calls = [self._layers.around(function, each, mode) for function, each in pairs]
        calls[0]()
        call_ms = timing.one_call_ms(calls[-1], self._clock)
        name = f"{IN_LAYER}{arm.name}"
        self.arms[arm.name] = replace(arm.again(), name=name, calls=calls, call_ms=call_ms)

    def times_ms(self, name: str) -> tuple[float, ...]:
        """Milliseconds of one call with its layer, a sample for each round; empty without any."""
        found = self.arms.get(name)
        return tuple(each / LAYERS for each in found.times_ms) if found else ()

    def faults(self, name: str) -> float | None:
        """Minor page faults of one call with its layer; None without any."""
        found = self.arms.get(name)
        return fmean(found.faults) / found.count / LAYERS if found and found.faults else None

    def fresh(self, names: Iterable[str]) -> list[Arm]:
        """The arms of these implementations, without samples."""
        self.arms = {name: self.arms[name].again() for name in names if name in self.arms}
        return list(self.arms.values())
