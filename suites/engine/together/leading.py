"""The process that leads: arms of other processes in its rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from suites.engine.together.link import Link
from suites.engine.together.resting import HANDOVER_MS, rest
from suites.engine.together.steps import Capture, Finish, Ready, SetUp, StartOver, Take, Took
from suites.measure.interference import Waited, Waits
from suites.measure.rounds import Arm
from suites.measure.timing import Call
from suites.records.record import Conditions


class LostArmError(Exception):
    """The implementation of an arm in another process failed; that process has recorded it."""

    def __init__(self, arm: DistantArm) -> None:
        super().__init__(arm.name)
        self.arm = arm


@dataclass(slots=True)
class DistantSampler:
    """Has another process take a sample, lead-in calls included."""

    arm: DistantArm | None = None
    name: str = "distant"

    def take(self, calls: Sequence[Call], count: int) -> float:  # noqa: ARG002 - they are distant
        """Milliseconds of one call. Raises LostArmError when its implementation failed."""
        arm = cast("DistantArm", self.arm)
        took = arm.follower.take(arm.index)
        if took.ms is None:
            raise LostArmError(arm)
        return took.ms

    def aside_ms(self, count: int) -> float:  # noqa: ARG002 - equal for all counts
        """Milliseconds until the threads of both processes rest."""
        return 2 * HANDOVER_MS


@dataclass(slots=True, kw_only=True)
class DistantArm(Arm):
    """An arm in another process, in the rounds of this one.

    follower  that process
    index     of the arm there
    calls_a_sample  its calls in one sample
    """

    follower: Follower
    index: int
    calls_a_sample: int

    @property
    def count(self) -> int:
        """Calls in one sample."""
        return self.calls_a_sample

    @property
    def leads_in(self) -> bool:
        """False: its lead-in call is made by the other process."""
        return False

    @property
    def round_ms(self) -> float:
        """Milliseconds of its turn in a round."""
        return self.call_ms * (self.count + 1) + self.sampler.aside_ms(self.count)


@dataclass(slots=True)
class Follower:
    """A process that takes its samples in the rounds of this one.

    waits  of its samples
    arms   that take part
    """

    link: Link
    waits: Waits = field(default_factory=Waits)
    arms: list[DistantArm] = field(default_factory=list)
    refreshed: int = 0

    def set_up(self) -> None:
        """Have it set its implementations up."""
        rest()
        ready = cast("Ready", self.link.ask(SetUp()))
        self._join(ready)

    def capture(self, *, graphs: bool) -> None:
        """Have it choose its samplers."""
        self._join(cast("Ready", self.link.ask(Capture(graphs=graphs))))

    def take(self, index: int) -> Took:
        """Have it take a sample of an arm."""
        rest()
        took = cast("Took", self.link.ask(Take(arm=index, refreshed=self.refreshed)))
        self.waits.add(Waited(took.waited_ms, took.switches, took.wall_ms))
        return took

    def start_over(self) -> None:
        """Delete all samples, here and there."""
        self._join(cast("Ready", self.link.ask(StartOver(arms=tuple(x.name for x in self.arms)))))

    def finish(self, conditions: Conditions | None) -> None:
        """Have it make its records, while this process waits."""
        rest()
        self.link.ask(Finish(conditions=conditions))

    def _join(self, ready: Ready) -> None:
        self.arms = []
        for index, each in enumerate(ready.arms):
            sampler = DistantSampler()
            sampler.arm = DistantArm(
                each.name,
                (),
                each.call_ms,
                sampler,
                follower=self,
                index=index,
                calls_a_sample=each.count,
            )
            self.arms.append(sampler.arm)


@dataclass(slots=True)
class Followers:
    """The processes that follow, in the order in which they came; none is usual.

    waits  of samples, of all processes
    """

    every: list[Follower] = field(default_factory=list)
    waits: Waits = field(default_factory=Waits)

    @property
    def arms(self) -> list[DistantArm]:
        """The arms of all of them."""
        return [arm for each in self.every for arm in each.arms]

    def set_up(self) -> None:
        """Have each set its implementations up, one process after the other."""
        for each in self.every:
            each.set_up()

    def capture(self, *, graphs: bool) -> None:
        """Have each choose its samplers."""
        for each in self.every:
            each.capture(graphs=graphs)

    def refreshed(self) -> None:
        """The inputs of this process were refreshed: each does the same before its next sample."""
        for each in self.every:
            each.refreshed += 1

    def start_over(self, lost: DistantArm | None = None) -> None:
        """Delete all samples, and an arm that failed."""
        if lost is not None:
            lost.follower.arms.remove(lost)
        for each in self.every:
            each.start_over()

    def finish(self, conditions: Conditions | None) -> None:
        """Have each make its records, one process after the other."""
        for each in self.every:
            each.finish(conditions)
