"""The groups of a session: one for each number of ranks and device, kept for further problems."""

from __future__ import annotations

import atexit
import functools
import time
from dataclasses import dataclass, field

import torch

from suites.engine.ranks.group import Group
from suites.engine.ranks.messages import Backward, Forward, Order, Reply
from suites.engine.ranks.parts import SharedTensors
from suites.measure.affinity import every_place, launching

Kind = tuple[int, str]
"""A number of ranks and a device."""


@dataclass(slots=True)
class Groups:
    """Running groups; one that ended is started again when it is needed.

    spent_ms  milliseconds that each rank spent in calls since `start_clock`
    is_timed  whether the clock runs
    """

    spent_ms: list[float] = field(default_factory=list)
    is_timed: bool = False
    _running: dict[Kind, tuple[Group, SharedTensors]] = field(default_factory=dict)

    def running(self, ranks: int, device: str) -> Group:
        """The group, started unless it runs. Raises GroupError where it does not start."""
        known = self._running.get((ranks, device))
        if known is not None and known[0].is_alive:
            return known[0]
        if known is not None:
            known[0].end()
        with launching():  # they inherit the CPUs of this thread
            made = Group(ranks, device, threads_of(ranks), cpus_of(ranks))
        self._running[ranks, device] = made, SharedTensors(made.folder)
        return made

    def tensors(self, ranks: int, device: str) -> SharedTensors:
        """The tensors that a group shares with this process."""
        self.running(ranks, device)
        return self._running[ranks, device][1]

    def start_clock(self) -> None:
        """Count the milliseconds of every rank from zero."""
        self.spent_ms, self.is_timed = [], True

    def stop_clock(self) -> tuple[float, ...]:
        """The milliseconds of every rank since the start."""
        self.is_timed = False
        return tuple(self.spent_ms)

    def ask(
        self, ranks: int, device: str, order: Order, limit_s: float, stated_s: float
    ) -> list[Reply]:
        """Have a group carry out an order; see `Group.ask`."""
        replies = self.running(ranks, device).ask(order, limit_s, stated_s)
        if isinstance(order, (Forward, Backward)):
            before = self.spent_ms if len(self.spent_ms) == ranks else [0.0] * ranks
            pairs = zip(before, replies, strict=True)
            self.spent_ms = [spent + reply.call_ms for spent, reply in pairs]
        return replies

    def timed(
        self, ranks: int, device: str, order: Order, limit_s: float, stated_s: float
    ) -> tuple[list[Reply], float]:
        """The same, with the seconds that it took here."""
        began = time.monotonic()
        replies = self.ask(ranks, device, order, limit_s, stated_s)
        return replies, time.monotonic() - began

    def ask_all(self, order: Order, limit_s: float) -> None:
        """Have all running groups carry out an order."""
        for ranks, device in list(self._running):
            if self._running[ranks, device][0].is_alive:
                self.ask(ranks, device, order, limit_s, limit_s)

    def end(self) -> None:
        """End all groups."""
        for group, _ in self._running.values():
            group.end()
        self._running = {}


@functools.cache
def groups() -> Groups:
    """The groups of this process; they end with it."""
    made = Groups()
    atexit.register(made.end)
    return made


def threads_of(ranks: int) -> int:
    """OpenMP threads of a rank: the session's threads, divided among the ranks."""
    return max(1, torch.get_num_threads() // ranks)


def cpus_of(ranks: int) -> list[frozenset[int]]:
    """The CPUs of each rank: its own where there are enough, else in turns; empty: not known."""
    places, threads = every_place(), threads_of(ranks)
    if not places:
        return []
    turns = [places[index % len(places)] for index in range(ranks * threads)]
    return [
        frozenset[int]().union(*turns[rank * threads : (rank + 1) * threads])
        for rank in range(ranks)
    ]
