"""The inputs of a timed problem: the same for every implementation, and read-only for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from impls.interface import Problem
from suites.agreement.calls import tensors_of, versions_of
from suites.measure.inputs import Flips, Inputs, copies, make_inputs
from suites.measure.timing import DRAWN_SETS
from suites.process_state.watched import Watched

Place = tuple[int, tuple[int, ...], tuple[int, ...], bool, int]
"""Of an input: address, shape, strides, requires_grad, and writes that are not the engine's."""


def timed_sets(problem: Problem, count: int, *, session: int, seed: int) -> list[Inputs]:
    """Sets of inputs in memory of their own, equal on every machine.

    Two are drawn, on the CPU. The others are copies of them with other signs of q and v: drawing 64
    sets would take longer than timing the calls.
    """
    drawn = [
        make_inputs(problem, purpose=f"time {index}", session=session, seed=seed)
        for index in range(min(count, DRAWN_SETS))
    ]
    derived = [copies(drawn[index % DRAWN_SETS]) for index in range(DRAWN_SETS, count)]
    for index, each in enumerate(derived):
        Flips(each, seed + index).change(each)
    return [*drawn, *derived]


class TimedInputs:
    """Sets of inputs that calls take in turn.

    seed  of the values that `refresh` gives them
    """

    def __init__(self, sets: Sequence[Inputs], seed: int) -> None:
        self.sets = sets
        self._flips = Flips(sets[0], seed)
        self._versions = [versions_of(each) for each in sets]

    def refresh(self) -> None:
        """Change their values in place."""
        with torch.no_grad():
            for each in self.sets:
                self._flips.change(each)
        self._versions = [versions_of(each) for each in self.sets]

    @property
    def watched(self) -> Watched:
        """The state of them that an implementation must leave unchanged."""
        return Watched("the inputs", self._places, None, _described, quick=True)

    def _places(self) -> list[Place]:
        found: list[Place] = []
        for inputs, ours in zip(self.sets, self._versions, strict=True):
            for (_, x), now, then in zip(
                tensors_of(inputs), versions_of(inputs), ours, strict=True
            ):
                found.append((x.data_ptr(), x.shape, x.stride(), x.requires_grad, now - then))
        return found


def _described(was: list[Place], now: list[Place]) -> str:
    """How they were changed."""
    moved = [place[:3] for place in was] != [place[:3] for place in now]
    if moved:
        return "replaced the memory of its inputs"
    if [place[3] for place in was] != [place[3] for place in now]:
        return "changed requires_grad of its inputs"
    return "wrote to its inputs"
