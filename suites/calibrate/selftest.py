"""The selftest: accuracy of the instruments, and the smallest difference visible here."""

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
from suites.engine.messages import InstrumentsRead
from suites.engine.protocol import ReadInstruments
from suites.engine.watch import Watch
from suites.stats.intervals import (
    Interval,
    noise_floor,
    over_sessions,
    sessions_for,
)

OTHER = "naive"
"""The implementation whose ratio to the baseline is reported for each problem."""
KNOWN_BYTES = 3 << 20
"""Size of the allocation that the memory instrument measures, bytes."""
PRECISION = 0.01
"""Relative half-width for which the number of sessions is estimated."""
COARSE_MS = 0.01
"""A clock with larger steps is a fault: a sample of 0.1 ms would be off by 10 %."""
LIMIT_S, LIMIT_BYTES = 120.0, 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Readings of the instruments.

    known_bytes         true memory of an operation; read_bytes is the reading
    resolution_ms       smallest step of the clock
    sample_overhead_ms  time of a sample of an empty call
    call_overhead_ms    time of an empty call in a long sample
    """

    known_bytes: int
    read_bytes: int
    resolution_ms: float
    sample_overhead_ms: float
    call_overhead_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One ratio, and the cost of an interval of plus or minus 1 %.

    sessions  number of sessions; None for more than 1000
    needed_s  their wall time, process starts included
    """

    problem: str
    interval: Interval | None
    sessions: int | None
    needed_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The precision of measurements on this machine.

    pairs         problems, each with an identical and a slowed pair
    false_alarms  identical pairs whose interval excludes 1
    found         pairs slower by `slowed` whose interval lies above 1
    floor         noise floor with these sessions, relative
    visible       smallest difference that is detected in 95 % of runs, relative
    disturbed     fraction of disturbed rounds
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
        """Wrong readings of instruments; empty for none."""
        known, read = self.instruments.known_bytes, self.instruments.read_bytes
        found = []
        if read != known:
            found.append(f"the memory instrument reads {read} bytes, expected {known}")
        step_ms = self.instruments.resolution_ms
        if step_ms > COARSE_MS:
            found.append(f"the clock has steps of {step_ms:g} ms, expected at most {COARSE_MS} ms")
        return found

    @property
    def sentence(self) -> str:
        """The smallest visible difference, with its number of sessions and seconds."""
        return (
            f"On this machine {self.sessions} sessions ({self.wall_s:.0f} s for {self.pairs} short "
            f"problems) detect a difference of {self.visible:.1%} in 95 of 100 runs; "
            f"the noise floor is {self.floor:.1%}."
        )


def steps(sessions: int) -> int:
    """Number of times that `conduct` calls `advance`."""
    return sessions * len(PROBLEMS)


def conduct(*, sessions: int, threads: int, advance: Callable[[], None]) -> Findings:
    """Run the selftest. Raises ValueError for too many threads, and when a session dies.

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
    """The findings from the calibrations of all sessions."""
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
    """Whether the interval lies above 1 (side 1), or excludes 1 on either side (side 0)."""
    interval = over_sessions(log_ratios)
    if not isinstance(interval, Interval):
        return False
    return interval.low > 1 if side else interval.excludes_one


def _visible(spread: float, sessions: int) -> float:
    """The difference whose interval excludes 1 in 95 % of runs, for this spread of log ratios.

    The half-width of the interval plus the one-sided 95 % error of the estimate.
    """
    quantiles = float(stdtrit(sessions - 1, 0.975)) + float(stdtrit(sessions - 1, 0.95))
    return expm1(quantiles * spread / sqrt(sessions))


def _ratio(found: Sequence[Calibration], start_s: float) -> Ratio:
    """The ratio of one problem, and the cost of measuring it alone.

    start_s  time to start a session
    """
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
