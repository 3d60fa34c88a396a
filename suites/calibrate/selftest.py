"""Are the instruments right, and is this machine quiet enough? Measured where truth is known."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import expm1, sqrt
from statistics import fmean

from scipy.special import stdtrit

from suites.calibrate.protocol import PROBLEMS, Calibration, Protocol, ask, files_of
from suites.engine.catalogue import cores
from suites.engine.local_session import Session
from suites.engine.protocol import InstrumentsRead, ReadInstruments
from suites.engine.watch import Watch
from suites.stats.intervals import (
    Interval,
    noise_floor,
    over_sessions,
    sessions_for,
)

OTHER = "naive"
"""Whose ratios to the baseline are the named ones."""
KNOWN_BYTES = 3 << 20
PRECISION = 0.01
LIMIT_S, LIMIT_BYTES = 120.0, 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What the instruments read where the answer is known.

    known_bytes         an operation's memory; read_bytes is what was read
    resolution_ms       the smallest step of the clock
    sample_overhead_ms  a sample of nothing
    call_overhead_ms    what a sample adds to each of its calls
    """

    known_bytes: int
    read_bytes: int
    resolution_ms: float
    sample_overhead_ms: float
    call_overhead_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One ratio, and what it takes to know it to 1 % either way.

    needed_s  seconds, starting its sessions included; None: more than 1000 sessions
    """

    problem: str
    interval: Interval | None
    sessions: int | None
    needed_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What this machine lets one see.

    false_alarms  identical pairs, of `pairs`, whose interval excludes 1
    found         pairs slower by `slowed`, of `pairs`, whose interval says so
    floor         what identical code may differ by, relative, with these sessions
    visible       the smallest difference seen in 95 of 100 cases, relative
    disturbed     rounds that something disturbed, a part of all
    """

    instruments: Instruments
    sessions: int
    wall_s: float
    pairs: int
    false_alarms: int
    found: int
    slowed: float
    floor: float
    visible: float
    disturbed: float
    ratios: tuple[Ratio, ...]

    @property
    def faults(self) -> list[str]:
        """The instruments that are not right, in words."""
        known, read = self.instruments.known_bytes, self.instruments.read_bytes
        found = []
        if read != known:
            found.append(f"the memory instrument reads {read} bytes for {known}")
        if self.instruments.resolution_ms > 0.01:
            found.append(f"the clock moves in steps of {self.instruments.resolution_ms:g} ms")
        return found

    @property
    def sentence(self) -> str:
        """What differences can be seen here, with how many sessions and in how many seconds."""
        return (
            f"Here {self.sessions} sessions, {self.wall_s:.0f} s for {self.pairs} short problems, "
            f"show a difference of {self.visible:.1%} in 95 of 100 cases; "
            f"identical code may differ by {self.floor:.1%}."
        )


def steps(sessions: int) -> int:
    """How often `conduct` advances."""
    return sessions * len(PROBLEMS)


def conduct(*, sessions: int, threads: int, advance: Callable[[], None]) -> Findings:
    """Measure it all. Raises ValueError when a session dies.

    advance  called after each problem of each session
    """
    if threads > cores():
        raise ValueError(f"--threads is {threads}, this program may use {cores()} CPUs")
    protocol = Protocol(others=(OTHER,), threads=threads, seed=secrets.randbits(31))
    files = files_of([OTHER], threads=threads)
    began_s = time.monotonic()
    found: list[Calibration] = []
    for number in range(1, sessions + 1):
        for each in protocol.session(number, files):
            found.append(each)
            advance()
    return concluded(found, _instruments(threads), sessions, time.monotonic() - began_s)


def concluded(
    found: Sequence[Calibration], instruments: Instruments, sessions: int, wall_s: float
) -> Findings:
    """What the calibrations of all sessions say together."""
    by_problem: dict[str, list[Calibration]] = defaultdict(list)
    for each in found:
        by_problem[each.problem].append(each)
    twins = {p: [c.log_ratio("twin") for c in each] for p, each in by_problem.items()}
    slowed = {p: [c.log_ratio("slowed") for c in each] for p, each in by_problem.items()}
    attempts = sum(len(next(iter(each.times_ms.values()))) for each in found)
    spread = sqrt(fmean(x**2 for each in twins.values() for x in each))
    return Findings(
        instruments=instruments,
        sessions=sessions,
        wall_s=wall_s,
        pairs=len(by_problem),
        false_alarms=sum(_shows(each, 0) for each in twins.values()),
        found=sum(_shows(each, 1) for each in slowed.values()),
        slowed=fmean(each.truth for each in found) - 1,
        floor=noise_floor([x for each in twins.values() for x in each], sessions) or 0.0,
        visible=_visible(spread, sessions),
        disturbed=1 - sum(len(each.quiet) for each in found) / attempts,
        ratios=tuple(
            _ratio(each, (wall_s - sum(c.wall_s for c in found)) / sessions)
            for each in by_problem.values()
        ),
    )


def _shows(log_ratios: Sequence[float], side: int) -> bool:
    """Whether the interval lies above 1 (side 1), or excludes it at all (side 0)."""
    interval = over_sessions(log_ratios)
    if not isinstance(interval, Interval):
        return False
    return interval.low > 1 if side else interval.excludes_one


def _visible(spread: float, sessions: int) -> float:
    """The difference whose interval excludes 1 in 95 of 100 cases, for a spread of log ratios.

    The interval's own reach and, beyond it, what the mean of so many sessions may fall short by.
    """
    reach = float(stdtrit(sessions - 1, 0.975)) + float(stdtrit(sessions - 1, 0.95))
    return expm1(reach * spread / sqrt(sessions))


def _ratio(found: Sequence[Calibration], start_s: float) -> Ratio:
    """One problem's ratio; a session of it alone takes its own time and what starting takes."""
    log_ratios = [each.log_ratio(OTHER) for each in found]
    session_s = start_s + fmean(each.wall_s for each in found)
    interval = over_sessions(log_ratios)
    sessions = sessions_for(log_ratios, PRECISION)
    return Ratio(
        problem=found[0].problem,
        interval=interval if isinstance(interval, Interval) else None,
        sessions=sessions,
        needed_s=None if sessions is None else sessions * session_s,
    )


def _instruments(threads: int) -> Instruments:
    with Session(Watch(LIMIT_S, LIMIT_BYTES), threads=threads) as session:
        task = ReadInstruments(known_bytes=KNOWN_BYTES, device="cpu")
        found = ask(session, task, InstrumentsRead)
    return Instruments(
        known_bytes=KNOWN_BYTES,
        read_bytes=found.read_bytes,
        resolution_ms=found.resolution_ms,
        sample_overhead_ms=found.sample_overhead_ms,
        call_overhead_ms=found.call_overhead_ms,
    )
