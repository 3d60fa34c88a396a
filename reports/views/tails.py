"""Tails in words: percentiles of single calls with their intervals, and what limits them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import HIGHEST, PERCENTS, TailRow
from reports.rows.sessions import clock_resolution_ms
from reports.views.numbers import milliseconds, percent, three_digits, times
from reports.views.text import counted
from suites.stats.percentiles import Percentile, fewest

HEADING: Final = "Tails"
HEADS: Final = tuple(f"p{each} ms [95 %]" for each in PERCENTS)
OF_SESSIONS: Final = f"p{HIGHEST} of sessions"
TOO_FEW: Final = "too few calls"
CALLS: Final = (
    "Every sample is one call. The percentiles are of the calls of all sessions, those of "
    "disturbed rounds included: without these, a tail would be too short."
)
INTERVAL: Final = (
    "In brackets is a 95 % interval between two of the calls. It holds for independent calls of "
    "these processes."
)


def sentences(analysis: Analysis) -> list[str]:
    """How to read the percentiles of a run; empty without any."""
    rows = analysis.tails
    if not rows:
        return []
    said = (_disturbed(rows), _between_sessions(rows), _resolution(analysis), _short(rows))
    return [CALLS, INTERVAL, *chain.from_iterable(said)]


def figure(found: Percentile | None) -> str:
    """A percentile in milliseconds with its interval: 1.24 [1.20, 1.31]."""
    if found is None:
        return TOO_FEW
    return f"{milliseconds(found.value)} [{milliseconds(found.low)}, {milliseconds(found.high)}]"


def _disturbed(rows: list[TailRow]) -> Iterator[str]:
    """How many calls were in disturbed rounds."""
    disturbed = sum(row.disturbed for row in rows)
    if disturbed:
        share = percent(disturbed / sum(row.calls for row in rows))
        yield f"{share} of the calls were in disturbed rounds: they may have waited for a CPU."


def _between_sessions(rows: list[TailRow]) -> Iterator[str]:
    """The largest difference between sessions, which the intervals do not have."""
    spreads = [
        row.session_high_ms / row.session_low_ms
        for row in rows
        if row.sessions > 1 and row.session_low_ms and row.session_high_ms
    ]
    if spreads:
        yield f"The p{HIGHEST} of sessions differs by up to {times(max(spreads))}."


def _resolution(analysis: Analysis) -> Iterator[str]:
    """How coarse the clock is beside the shortest median of single calls."""
    step_ms = clock_resolution_ms(analysis.run)
    medians = [each.value for row in analysis.tails if (each := row.percentiles[0])]
    shortest_ms = min(medians, default=0.0)
    if step_ms and shortest_ms:
        yield (
            f"The clock advances in steps of {three_digits(step_ms * 1e3)} us: "
            f"{percent(step_ms / shortest_ms)} of the shortest p50."
        )


def _short(rows: list[TailRow]) -> Iterator[str]:
    """How many rows lack the highest percentile, and what gives them one."""
    short = sum(row.percentiles[-1] is None for row in rows)
    if short:
        yield (
            f"{counted(short, 'row')} of {len(rows)} without p{HIGHEST}, which takes "
            f"{fewest(HIGHEST)} calls: run more --sessions, or fewer implementations together."
        )
