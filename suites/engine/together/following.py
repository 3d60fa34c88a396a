"""The process that follows: it takes its samples when the process that leads says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from suites.engine.together.link import Link
from suites.engine.together.resting import rest
from suites.engine.together.steps import (
    ArmReady,
    Capture,
    Done,
    Finish,
    Ready,
    SetUp,
    StartOver,
    Step,
    Take,
    Took,
)
from suites.measure.rounds import Arm
from suites.records.record import Conditions


class Work(Protocol):
    """The work of a process that follows, by the steps of the one that leads."""

    def set_up(self) -> list[Arm]:
        """Set all implementations up; the arms of those that did not fail."""

    def capture(self, *, graphs: bool) -> list[Arm]:
        """Choose the sampler of all arms; those that did not fail."""

    def take(self, arm: Arm, refreshed: int) -> Took:
        """A sample.

        refreshed  how often the inputs have to have been refreshed before
        """

    def start_over(self, names: tuple[str, ...]) -> list[Arm]:
        """Delete all samples; the arms of these names."""

    def finish(self, conditions: Conditions | None) -> None:
        """Make the records."""


@dataclass(slots=True)
class Steps:
    """Does the steps that come through a link."""

    link: Link
    work: Work
    _arms: list[Arm] = field(default_factory=list)

    def follow(self) -> None:
        """Do steps until the last one."""
        while True:
            step = self.link.receive()
            answer = self._answer(step)
            rest()
            self.link.send(answer)
            if isinstance(step, Finish):
                return

    def _answer(self, step: Step) -> Step:
        match step:
            case SetUp():
                return self._ready(self.work.set_up())
            case Capture(graphs=graphs):
                return self._ready(self.work.capture(graphs=graphs))
            case StartOver(arms=names):
                return self._ready(self.work.start_over(names))
            case Take(arm=index, refreshed=refreshed):
                return self.work.take(self._arms[index], refreshed)
            case Finish(conditions=conditions):
                self.work.finish(conditions)
        return Done()

    def _ready(self, arms: list[Arm]) -> Ready:
        self._arms = arms
        ready = tuple(
            ArmReady(name=each.name, call_ms=each.call_ms, count=each.count) for each in arms
        )
        return Ready(arms=ready)
