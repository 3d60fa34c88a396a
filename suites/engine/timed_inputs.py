"""The inputs of a timed problem: the same for every implementation, and read-only for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from impls.interface import Problem
from suites.agreement.calls import tensors_of, versions_of
from suites.measure import input_files
from suites.measure.inputs import Flips, Inputs, copies, make_inputs
from suites.measure.timing import DRAWN_SETS
from suites.process_state.watched import Watched
from suites.records.input_files import InputFile

Place = tuple[int, tuple[int, ...], tuple[int, ...], bool, int]
"""Of an input: address, shape, strides, requires_grad, and writes that are not the engine's."""


def timed_sets(
    problem: Problem,
    count: int,
    *,
    session: int,
    seed: int,
    files: tuple[InputFile, ...] = (),
) -> list[Inputs]:
    """Sets of inputs in memory of their own, equal on every machine.

    files  with the user's own tensors, instead of random numbers

    Two are drawn on the CPU, or each file gives one. The others are copies of them with other
    signs: drawing 64 sets would take longer than timing the calls.
    """
    if files:
        drawn = [copies(input_files.load(each, problem)) for each in files]
    else:
        drawn = [
            make_inputs(problem, purpose=f"time {index}", session=session, seed=seed)
            for index in range(min(count, DRAWN_SETS))
        ]
    derived = [copies(drawn[index % len(drawn)]) for index in range(len(drawn), count)]
    for index, each in enumerate(derived):
        Flips(each, seed + index, keep_scores=bool(files)).change(each)
    return [*drawn, *derived]


class TimedInputs:
    """Sets of inputs that calls take in turn.

    seed         of the values that `refresh` gives them
    keep_scores  whether `refresh` keeps q k^T, as for the user's own tensors
    """

    def __init__(self, sets: Sequence[Inputs], seed: int, *, keep_scores: bool = False) -> None:
        self.sets = sets
        self._flips = Flips(sets[0], seed, keep_scores=keep_scores)
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
