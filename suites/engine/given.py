"""The inputs of a timed problem: everyone is handed the same, and only we may write to them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from suites.agreement.calls import tensors_of, versions_of
from suites.measure.inputs import Flips, Inputs
from suites.process_state.fingerprint import Part

Place = tuple[int, tuple[int, ...], tuple[int, ...], bool, int]
"""Of an input: its address, shape, strides, whether it asks for gradients, and how often others
than us have written to it."""


class Given:
    """Sets of inputs that calls take in turn.

    seed  of the other values that they are given
    """

    def __init__(self, sets: Sequence[Inputs], seed: int) -> None:
        self.sets = sets
        self._flips = [Flips(each, seed + place) for place, each in enumerate(sets)]
        self._versions = [versions_of(each) for each in sets]

    def refresh(self) -> None:
        """Give them other values, in place."""
        with torch.no_grad():
            for each, flips in zip(self.sets, self._flips, strict=True):
                flips.change(each)
        self._versions = [versions_of(each) for each in self.sets]

    @property
    def part(self) -> Part:
        """What of them an implementation has to leave as it was."""
        return Part("the inputs", self._places, None, _told, glanced=True)

    def _places(self) -> list[Place]:
        found: list[Place] = []
        for inputs, ours in zip(self.sets, self._versions, strict=True):
            for (_, x), now, then in zip(
                tensors_of(inputs), versions_of(inputs), ours, strict=True
            ):
                found.append((x.data_ptr(), x.shape, x.stride(), x.requires_grad, now - then))
        return found


def _told(was: list[Place], now: list[Place]) -> str:
    """What was done to them."""
    moved = [place[:3] for place in was] != [place[:3] for place in now]
    if not moved and [place[3] for place in was] != [place[3] for place in now]:
        return "had its inputs ask for gradients, or no more"
    return "took the memory of its inputs away" if moved else "wrote to its inputs"
