"""The step `cold`: a problem with cold caches, and the forecast of its last session."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from suites.calibrate.device import sizes
from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.small_runs import Progress, answered, records
from suites.engine.time_left import TimeLeft

NAMES: Final = ("naive", "sdpa_math", "sdpa_flash")
MOST_OVERRUN: Final = 2.0
"""A forecast that is wrong by more is of no use for planning."""


def figures(target: Target) -> Iterator[Figure]:
    """The results, and the overrun of the last session against its forecast."""
    progress = Progress()
    problem = sizes.problem(target, "causal")
    found = records(target, (problem,), NAMES, progress, sessions=2, cache="cold")
    ended_s = time.monotonic()
    yield from map(answered, found)
    timed = [each for each in found if each.times_ms]
    yield Figure(
        name="clocks",
        value=", ".join(sorted({each.clock for each in timed})) or "none",
        expected="each named cold",
        reason="caches are flushed before each call",
        holds=bool(timed) and all(each.clock.startswith("cold") for each in timed),
    )
    yield from last_session(progress.forecasts, ended_s)


def last_session(forecasts: Sequence[tuple[float, TimeLeft]], ended_s: float) -> Iterator[Figure]:
    """The seconds of the last problem, those forecast at its begin, and their ratio.

    forecasts  seconds on the clock, and the time left then
    """
    at_s, left = forecasts[-1]
    yield Figure(name="forecast of the last session", value=left.seconds, unit="s")
    yield Figure(name="the last session", value=ended_s - at_s, unit="s")
    ratio = (ended_s - at_s) / max(left.seconds, 1e-3)
    yield Figure(
        name="time of the last session / its forecast",
        value=ratio,
        expected=f"at most {MOST_OVERRUN:g}",
        reason="calls, flushes and start are known from the session before",
        holds=ratio <= MOST_OVERRUN,
    )
