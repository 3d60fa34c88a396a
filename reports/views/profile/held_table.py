"""Tables of memory: what a call holds at its peak, and the peaks of all profiled calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.profile.memory import HeldAtPeak, at_peak, page_faults, resident, timeline
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.numbers import mebibytes, number, percent
from reports.views.problems import without
from reports.views.sections import Row, Table, Value
from reports.views.values import figure
from suites.records.profile import MemoryProfile, Profile

KEPT: Final = "kept from preparation and the first call"
NO_LINE: Final = "not known"
PYTHON: Final = "Python"
"""Stands for memory that no operator allocated, as for a number in an expression."""
LEAST: Final = 0.0001
SMALL: Final = "<0.01 %"
"""Stands for a smaller share than LEAST."""
MOST_ROWS: Final = 40
"""Rows of one table; smaller ones are one row."""
_HEAD: Final = ("source line", "bytes", "share", "operator", "shape and dtype")
_SUMMARY: Final = (
    "implementation", "peak MiB", "reached at", "kept MiB", "page faults per call",
    "resident MiB", "problem",
)  # fmt: skip
_SUMMARY_NAMES: Final = (
    "implementation", "peak_mib", "reached_at", "kept_mib", "page_faults", "resident_mib",
    "problem",
)  # fmt: skip


def table(profile: Profile, name: str) -> Table:
    """Memory held at the peak, the largest first; the last row is the sum.

    name  of the implementation, with its problem where there are several
    """
    memory = profile.memory or MemoryProfile()
    return Table(
        caption=f"Held at the peak of {name}.",
        head=_HEAD,
        rows=tuple(_rows(profile, memory)),
        names=("source_line", "bytes", "share", "operator", "shape"),
    )


def _rows(profile: Profile, memory: MemoryProfile) -> Iterator[Row]:
    whole = memory.peak_bytes
    rows = at_peak(profile)
    for row in rows[:MOST_ROWS]:
        yield _row(row.line or NO_LINE, row.bytes, whole, row.operator or PYTHON, _shape(row))
    if rest := rows[MOST_ROWS:]:
        yield _row(f"{len(rest)} smaller rows", sum(row.bytes for row in rest), whole)
    if memory.kept_bytes:
        yield _row(KEPT, memory.kept_bytes, whole)
    yield _row("sum", sum(row.bytes for row in rows) + memory.kept_bytes, whole)


def _row(first: str, size: int, whole: int, operator: str = "", shape: str = "") -> Row:
    share = size / whole if whole else None
    of_peak = figure(share, SMALL if 0 < (share or 0) < LEAST else percent(share), "0 %")
    sized = Value(f"{size:,}", float(size))
    return Row((Value(first), sized, of_peak, Value(operator), Value(shape)))


def _shape(row: HeldAtPeak) -> str:
    """As "2 of 8x256x512 float32"."""
    shape = row.shape or NO_LINE
    return shape if row.count == 1 else f"{row.count} of {shape}"


def summary(found: ProfiledRun, profiles: Sequence[Profile], shared: frozenset[str]) -> Table:
    """The peak of every profiled call, with page faults and resident memory.

    shared  words that all problems have
    """
    return Table(
        caption="Peaks of the profiled calls; resident memory is its growth in a first call.",
        head=_SUMMARY,
        rows=tuple(_summed(found, each, shared) for each in profiles),
        shown=len(_SUMMARY),
        names=_SUMMARY_NAMES,
    )


def _summed(found: ProfiledRun, profile: Profile, shared: frozenset[str]) -> Row:
    memory, line = profile.memory, timeline(profile)
    unseen = MemoryProfile() if memory is None else memory
    seen, faults, grown = memory is not None, page_faults(found, profile), resident(found, profile)
    return Row(
        (
            Value(profile.implementation),
            figure(unseen.peak_bytes, mebibytes(unseen.peak_bytes) if seen else "", "not seen"),
            figure(line.peak_share if line else None, percent(line.peak_share) if line else ""),
            figure(unseen.kept_bytes, mebibytes(unseen.kept_bytes) if seen else "", "not seen"),
            figure(faults, number(faults)),
            figure(grown, mebibytes(grown)),
            Value(without(profile.problem, shared)),
        ),
        facets={"implementation": profile.implementation},
    )
