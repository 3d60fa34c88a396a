"""The source line of every operator: read from a call whose lines are annotated.

Annotating takes time. The times of a profile are of a call without annotations; both calls run the
same operators in the same order, and are joined by that order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from suites.measure.profiler.events import Event, Input, events_of
from suites.measure.profiler.source_lines import CALL, Frames, Lines, Stack, annotated

OTHER_PATH: Final = (
    "source lines are not known: with lines annotated, its call runs other operators"
)


@dataclass(frozen=True, slots=True)
class Placed:
    """An operator of a call.

    stack    the lines that it was called from, outermost first; of a backward operator, the lines
             of its forward operator
    inputs   tensors among its inputs
    """

    event: Event
    stack: Stack = ()
    inputs: tuple[Input | None, ...] = ()


@dataclass(slots=True)
class Placing:
    """Operators with their lines and inputs, in the order in which they began.

    allocations  changes of memory, each with the lines that were executed then
    shapes       of memory that an operator used later, by the number of its allocation
    """

    operators: list[Placed] = field(default_factory=list)
    allocations: list[tuple[Event, Stack]] = field(default_factory=list)
    shapes: dict[int | None, str] = field(default_factory=dict)


def placed(call: Callable[[], object], device: str, frames: Frames = CALL) -> Placing:
    """The operators of one further call, with their lines and the shapes of their inputs."""
    lines = Lines()

    def annotated_call() -> object:
        with annotated(lines, frames):
            return call()

    root, _ = events_of(annotated_call, shapes=True, device=device)
    found = Placing()
    walk = _Walk(lines, found)
    for each in root.within:
        walk.enter(each)
    return found


@dataclass(slots=True)
class _Walk:
    """Visits events in their order, and keeps the line that is executed."""

    lines: Lines
    found: Placing
    _stack: Stack = ()
    _forward: dict[int, Stack] = field(default_factory=dict)

    def enter(self, event: Event) -> None:
        """Place an event and all within it."""
        if event.kind == "annotation":
            self._stack = self.lines.of(event.name) or ()
        elif event.kind == "memory":
            self.found.allocations.append((event, self._stack))
        elif event.kind == "operator":
            self._place(event)
        before = self._stack
        for each in event.within:
            self.enter(each)
        if event.is_backward:
            self._stack = before

    def _place(self, event: Event) -> None:
        if event.sequence >= 0 and event.is_backward:
            self._stack = self._forward.get(event.sequence, self._stack)
        elif event.sequence >= 0:
            self._forward[event.sequence] = self._stack  # the last one makes the node of autograd
        self.found.operators.append(Placed(event, self._stack, event.inputs))
        for each in filter(None, event.inputs):
            if each.storage is not None and each.sizes:
                self.found.shapes.setdefault(each.storage, shape_of(each))


def shape_of(given: Input) -> str:
    """As "8x1024x64 float32"; "scalar float64" for a number."""
    return f"{'x'.join(map(str, given.sizes)) or 'scalar'} {given.dtype}"


def operators(root: Event) -> Iterator[Event]:
    """The operators within a call, in their order."""
    return (each for each in root.walk() if each.kind == "operator")
