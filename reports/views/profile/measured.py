"""The figures of the protocol beside the baseline, which a profile explains."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.verdicts import VerdictRow
from reports.rows.measurements import Measurement
from reports.views.numbers import mebibytes, milliseconds, ratio, ratio_in
from reports.views.problems import facets, shared_words, without
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated, counted
from reports.views.values import figure
from reports.views.verdicts import verdict
from suites.records.profile import Profile

HEADING: Final = "Measured without the profiler"
MOST_SENTENCES: Final = 3
"""Problems with a sentence of their own; the table has all."""
OVERHEAD: Final = "profiled / plain"
_CAPTION: Final = (
    "Times, ratios and verdicts come from this run's own sessions, in which no profiler ran. "
    f"“{OVERHEAD}” is the median time of a call under the profiler over that of a plain call "
    "between them: the profiler's overhead."
)
_HEAD: Final = (
    "problem", "implementation", "median ms", "ratio [95 %]", "verdict", "peak MiB", OVERHEAD
)  # fmt: skip


def sentences(found: ProfiledRun) -> list[str]:
    """The time of each implementation, and its ratio to the baseline with the verdict."""
    shared = shared_words(found.problems)
    said = (_sentence(found, each, shared) for each in found.profiles)
    every = [sentence for sentence in said if sentence]
    return every if len(found.problems) <= MOST_SENTENCES else []


def overhead(profile: Profile) -> float | None:
    """The median time of calls under the profiler over that of plain calls; None without them."""
    if not profile.plain_ms or not profile.profiled_ms:
        return None
    return median(profile.profiled_ms) / median(profile.plain_ms)


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none without a profile that has times."""
    rows = tuple(_rows(found))
    table = Table(_CAPTION, _HEAD, rows, shown=len(_HEAD))
    return [Section("measured", HEADING, tables=(table,))] if rows else []


def _rows(found: ProfiledRun) -> Iterator[Row]:
    for profile in found.profiles:
        timed, row = found.measurement(profile), found.verdict(profile)
        if timed is None:
            continue
        beside = overhead(profile)
        cells = (
            Value(str(profile.problem)),
            Value(profile.implementation),
            figure(timed.median_ms, milliseconds(timed.median_ms)),
            figure(
                row.ratio if row else None,
                ratio_in(row.ratio, row.low, row.high) if row else "",
                "-",
            ),
            Value(verdict(row) if row else "baseline"),
            figure(timed.peak_bytes, mebibytes(timed.peak_bytes), "not seen"),
            figure(beside, ratio(beside), "not profiled"),
        )
        yield Row(cells, facets(profile.problem, profile.implementation))


def _sentence(found: ProfiledRun, profile: Profile, shared: frozenset[str]) -> str:
    timed, row = found.measurement(profile), found.verdict(profile)
    if timed is None:
        return ""
    name = abbreviated(profile.implementation)
    where = f"{name}, {without(profile.problem, shared)}," if shared else name
    took = f"{where} takes {milliseconds(timed.median_ms)} ms"
    if row is None:
        return f"{took} ({_sessions(timed)})."
    return f"{took}, {_compared(row)} ({_sessions(timed)})."


def _sessions(timed: Measurement) -> str:
    return f"{counted(timed.sessions, 'session')}, without the profiler"


def _compared(row: VerdictRow) -> str:
    """The ratio and the verdict: 1.62 [1.55, 1.70] times as long as sdpa_flash: slower."""
    times = ratio_in(row.ratio, row.low, row.high)
    return f"{times} times as long as {abbreviated(row.baseline)}: {verdict(row)}"
