"""The order of turns, and equal wall time for all methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from statistics import fmean
from typing import Final

from suites.calibrate.study.child import ARMS
from suites.calibrate.study.methods import METHODS, OURS, Measured, Setting
from suites.calibrate.study.pairs import Pair

LEAST_ARM_S: Final = 0.02
"""Least time for one arm, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One method, once over all problems.

    wall_s   wall time, process starts included
    timed_s  seconds of it inside timers; 0 for this program, which gets no time to fill
    """

    method: str
    repeat: int
    wall_s: float
    timed_s: float
    pairs: Sequence[Pair]


@dataclass(slots=True)
class Shares:
    """The time that each method may spend on an arm, so that all use equal wall time in the end.

    arms        number of arms in one turn
    foreseen_s  forecast wall time of this program's turn, until the first is measured
    """

    arms: int
    foreseen_s: float
    _ours_s: list[float] = field(default_factory=list)
    _used_s: dict[str, float] = field(default_factory=dict)
    _besides_s: dict[str, float] = field(default_factory=dict)

    def arm_s(self, method: str, repeat: int) -> float:
        """Seconds for one arm in this repeat; corrects for too much or too little time so far."""
        each_s = fmean(self._ours_s) if self._ours_s else self.foreseen_s
        due_s = repeat * each_s - self._used_s.get(method, 0.0)
        return max(LEAST_ARM_S, (due_s - self._besides_s.get(method, 0.0)) / self.arms)

    def pilot(self, turn: Turn) -> None:
        """Record the time outside timers, from a turn that does not count."""
        self._besides_s[turn.method] = turn.wall_s - turn.timed_s

    def learn(self, turn: Turn) -> None:
        """Count the time of a turn."""
        self.pilot(turn)
        self._used_s[turn.method] = self._used_s.get(turn.method, 0.0) + turn.wall_s
        if turn.method == OURS:
            self._ours_s.append(turn.wall_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Measures the same pairs by every method.

    methods  by name: functions of the setting, the repeat and the seconds of an arm
    now_s    a clock in seconds
    """

    setting: Setting
    methods: Mapping[str, Callable[[Setting, int, float], Measured]] = field(
        default_factory=lambda: METHODS
    )
    now_s: Callable[[], float] = time.monotonic

    def pilot(self) -> Shares:
        """The time that methods need, from turns that do not count: one session, short arms."""
        one = replace(self, setting=replace(self.setting, sessions=1))
        turns = {name: one.turn(name, 0, LEAST_ARM_S) for name in self.methods}
        shares = Shares(
            arms=len(ARMS) * len(self.setting.problems),
            foreseen_s=turns[OURS].wall_s * self.setting.sessions,
        )
        for turn in turns.values():
            shares.pilot(turn)
        return shares

    def turns(self, repeats: int, shares: Shares) -> Iterator[Turn]:
        """Every method once in each repeat, in random order."""
        for repeat in range(1, repeats + 1):
            for name in Random(repeat).sample(list(self.methods), len(self.methods)):
                turn = self.turn(name, repeat, shares.arm_s(name, repeat))
                shares.learn(turn)
                yield turn

    def turn(self, name: str, repeat: int, arm_s: float) -> Turn:
        """One method, once over all problems."""
        began_s = self.now_s()
        found = self.methods[name](self.setting, repeat, arm_s)
        return Turn(
            method=name,
            repeat=repeat,
            wall_s=self.now_s() - began_s,
            timed_s=found.timed_s,
            pairs=found.pairs,
        )
