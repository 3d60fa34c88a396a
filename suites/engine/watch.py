"""When a session has to be ended, and by which implementation: pure, so tests set the clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from impls.interface import Problem
from suites.records.record import Cause, Status

START_LIMIT_S = 180.0
"""Seconds for importing torch and what it brings."""
OWN_LIMIT_S = 1800.0
"""Seconds of the engine's own work, references and inputs, between two implementations."""

Work = tuple[Problem | None, str]
"""A problem and an implementation; no problem while its file is imported."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended: status, cause and reason of the implementation at work."""

    status: Status
    cause: Cause
    reason: str


@dataclass(slots=True)
class Watch:
    """Time and memory of the implementation at work in one session.

    time_limit_s     seconds that one implementation may spend on one problem, preparing apart
    memory_limit     bytes that it may add to the process while it is at work
    prepare_limit_s  seconds that it may prepare and compile for one problem
    at_work          the problem and implementation at work; None while the engine itself works
    is_preparing     whether the implementation at work prepares
    """

    time_limit_s: float
    memory_limit: int
    prepare_limit_s: float = 300.0
    at_work: Work | None = None
    is_preparing: bool = False
    _since_s: float = 0.0
    _base_bytes: int = 0
    _has_started: bool = False
    _spent_s: dict[tuple[Work, bool], float] = field(default_factory=dict)

    def started(self, now_s: float) -> None:
        """A process was started or was given a task; no implementation is at work yet."""
        self.at_work, self.is_preparing, self._since_s = None, False, now_s

    def begins(self, work: Work, now_s: float, resident_bytes: int) -> None:
        """An implementation is at work from now on."""
        self.rests(now_s)
        self.at_work = work
        self._base_bytes = resident_bytes

    def rests(self, now_s: float) -> None:
        """The engine itself is at work from now on."""
        self._count(now_s)
        self.at_work, self.is_preparing, self._has_started = None, False, True

    def prepares(self, now_s: float, *, begins: bool) -> None:
        """The implementation at work prepares from now on, or no longer does."""
        self._count(now_s)
        self.is_preparing = begins and self.at_work is not None

    def _count(self, now_s: float) -> None:
        """Add the time since the last change to the implementation at work."""
        if self.at_work is not None:
            key = self.at_work, self.is_preparing
            self._spent_s[key] = self._spent_s.get(key, 0.0) + now_s - self._since_s
        self._since_s = now_s

    def ending(self, now_s: float, resident_bytes: int) -> Ending | None:
        """Why the session has to end now; None while no limit is exceeded."""
        elapsed_s = now_s - self._since_s
        if self.at_work is None:
            limit_s = OWN_LIMIT_S if self._has_started else START_LIMIT_S
            if elapsed_s <= limit_s:
                return None
            reason = f"the session itself was silent for {elapsed_s:.0f} s"
            return Ending("timed_out", "silent_session", reason)
        spent_s = self._spent_s.get((self.at_work, self.is_preparing), 0.0) + elapsed_s
        if self.is_preparing and spent_s > self.prepare_limit_s:
            reason = f"preparing took more than {self.prepare_limit_s:g} s (--prepare-limit)"
            return Ending("timed_out", "prepare_limit", reason)
        if not self.is_preparing and spent_s > self.time_limit_s:
            reason = f"spent more than {self.time_limit_s:g} s on this problem (--time-limit)"
            return Ending("timed_out", "time_limit", reason)
        added = resident_bytes - self._base_bytes
        if added > self.memory_limit:
            return Ending("out_of_memory", "memory_limit", over_limit(added, self.memory_limit))
        return None


def over_limit(added: int, limit: int) -> str:
    """The reason of a record whose call added more bytes than the limit."""
    return f"added {added / 2**30:.2f} GiB, the limit is {limit / 2**30:.2f} GiB (--memory-limit)"
