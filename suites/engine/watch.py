"""When a session has to be ended, and who is to blame: pure, so that a test can set its clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from suites.records.record import Status

START_LIMIT_S = 180.0
"""Importing torch and what it brings."""
OWN_LIMIT_S = 1800.0
"""References and inputs, which are ours, between two turns of implementations."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session is ended: the status of the implementation at work, and the reason in words."""

    status: Status
    reason: str


@dataclass(slots=True)
class Watch:
    """Keeps the time and memory of the implementation at work in one session.

    time_limit_s  what one implementation may spend on one problem
    memory_limit  bytes that it may add to the process in one turn
    at_work       (problem, implementation) whose turn it is; None while the engine itself works
    """

    time_limit_s: float
    memory_limit: int
    at_work: tuple[str, str] | None = None
    _since_s: float = 0.0
    _base_bytes: int = 0
    _heard: bool = False
    _spent_s: dict[tuple[str, str], float] = field(default_factory=dict)

    def started(self, now_s: float) -> None:
        """A process was started or handed a task; nobody is at work yet."""
        self.at_work, self._since_s = None, now_s

    def begins(self, problem: str, implementation: str, now_s: float, resident_bytes: int) -> None:
        """An implementation's turn begins; whose turn it was ends."""
        self.rests(now_s)
        self.at_work = (problem, implementation)
        self._base_bytes = resident_bytes

    def rests(self, now_s: float) -> None:
        """The engine itself is at work again."""
        if self.at_work is not None:
            spent = self._spent_s.get(self.at_work, 0.0)
            self._spent_s[self.at_work] = spent + now_s - self._since_s
        self.at_work, self._since_s, self._heard = None, now_s, True

    def ending(self, now_s: float, resident_bytes: int) -> Ending | None:
        """Why the session has to end now; None while all is well."""
        turn_s = now_s - self._since_s
        if self.at_work is None:
            if turn_s > (OWN_LIMIT_S if self._heard else START_LIMIT_S):
                return Ending("timed_out", f"the session itself was silent for {turn_s:.0f} s")
            return None
        spent_s = self._spent_s.get(self.at_work, 0.0) + turn_s
        if spent_s > self.time_limit_s:
            return Ending(
                "timed_out",
                f"spent more than {self.time_limit_s:g} s on this problem (--time-limit)",
            )
        added = resident_bytes - self._base_bytes
        if added > self.memory_limit:
            return Ending("out_of_memory", over_limit(added, self.memory_limit))
        return None


def over_limit(added: int, limit: int) -> str:
    """The reason of a record whose call added more memory than it may."""
    return f"added {added / 2**30:.2f} GiB, the limit is {limit / 2**30:.2f} GiB (--memory-limit)"
