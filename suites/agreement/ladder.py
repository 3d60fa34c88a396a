"""The order in which sizes of a hard input are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from impls.interface import Implementation, Problem
from suites.agreement.attempts import Raised, Result
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

    def climb(
        self, label: str, call: Callable[[HardInput], Result | Raised]
    ) -> tuple[HardInput, Result] | None:
        """The first sizes of a hard input at which a call raises no exception, and its result.

        None where the same call was made for another hard input. Raises the last exception, with
        the sizes in a note.
        """
        raised: Raised | None = None
        for place in range(min(self._needed), len(self._sizes)):
            each = self._at(place).get(label)
            if each is None:
                continue
            if replace(each, label="") in self._done:
                self._needed = (self._needed[1], place)
                return None
            made = call(each)
            if not isinstance(made, Raised):
                self._needed = (self._needed[1], place)
                self._done.add(replace(each, label=""))
                return each, made
            made.error.add_note(each.place)
            raised = made
        if raised is not None:
            raise raised.error
        return None

    def _at(self, place: int) -> dict[str, HardInput]:
        if place not in self._made:
            made = hard_inputs(self._problem, self._implementation, self._sizes[place])
            self._made[place] = {each.label: each for each in made}
        return self._made[place]
