"""The order in which sizes of a hard input are tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from impls.interface import Implementation, Problem
from suites.agreement.hard_inputs import HardInput, hard_inputs
from suites.agreement.small_problems import sizes_of


class Ladder:
    """The hard inputs of a problem, each at sizes to try until a call raises no exception.

    labels  of the hard inputs to use; None: all

    The last sizes are the problem's own, so that no hard input is left out. Sizes that the two hard
    inputs before it both needed are the first to be tried.
    """

    def __init__(
        self, problem: Problem, implementation: Implementation, labels: tuple[str, ...] | None
    ) -> None:
        self._problem, self._implementation = problem, implementation
        self._sizes = sizes_of(problem, implementation)
        self._made: dict[int, dict[str, HardInput]] = {}
        self._needed = (0, 0)
        self._done: set[HardInput] = set()
        self.labels = [label for label in self._at(0) if labels is None or label in labels]

    def first(self) -> Iterator[HardInput]:
        """Every hard input at the first sizes."""
        return (self._at(0)[label] for label in self.labels)

    def tries(self, label: str) -> Iterator[tuple[int, HardInput]]:
        """One hard input at sizes to try in order; none where the same call was made before."""
        before: HardInput | None = None
        for place in range(min(self._needed), len(self._sizes)):
            each = self._at(place).get(label)
            if each is None or each == before:
                continue
            if replace(each, label="") in self._done:
                return
            before = each
            yield place, each

    def done(self, place: int, each: HardInput) -> None:
        """Note that a call with these sizes raised no exception."""
        self._needed = (self._needed[1], place)
        self._done.add(replace(each, label=""))

    def _at(self, place: int) -> dict[str, HardInput]:
        if place not in self._made:
            made = hard_inputs(self._problem, self._implementation, self._sizes[place])
            self._made[place] = {each.label: each for each in made}
        return self._made[place]
