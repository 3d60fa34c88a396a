"""Points of a roofline: arithmetic intensity and rate of each measurement, and ceilings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of
from reports.rows.sessions import median_ceilings
from suites.stats.ceilings import Ceiling, work

FEW_QUERIES: Final = 16
"""With so many keys for each query, k and v are most of the bytes: 94 % and more of them where
queries and keys have the same heads, 80 % and more where 4 query heads share a key head."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """The measurements of one panel, device and dtype, with most threads, and its ceilings."""

    panel: str
    device: str
    dtype: str
    rows: tuple[Measurement, ...]
    ceilings: tuple[Ceiling, ...]


def rooflines(analysis: Analysis) -> list[Roofline]:
    """One for each panel, device and dtype with times; with or without ceilings."""
    ceilings = median_ceilings(analysis.run)
    found: dict[tuple[str, str, str], list[Measurement]] = {}
    for panel in panels_of(analysis.plan):
        for row in analysis.with_most_threads:
            if row.panel == panel and any(_work(row)) and row.median_ms:
                kind = (panel, row.problem.device, row.problem.dtype)
                found.setdefault(kind, []).append(row)
    return [
        Roofline(panel, device, dtype, tuple(rows), _of_kind(ceilings, device, dtype))
        for (panel, device, dtype), rows in found.items()
    ]


def intensity(row: Measurement) -> float:
    """FLOP for each byte that has to move at least."""
    flops, least_bytes = _work(row)
    return flops / least_bytes


def rate(row: Measurement) -> float:
    """GFLOP per second."""
    return _work(row)[0] / row.median_ms / 1e6


@dataclass(frozen=True, slots=True)
class ReadRates:
    """The rates at which a device read, bytes per second: from memory, and from its cache."""

    device: str
    memory: float
    cache: float | None


def read_rates(analysis: Analysis) -> dict[str, ReadRates]:
    """By device; devices without a read rate from memory have none."""
    found: dict[str, dict[str, float]] = {}
    for each in median_ceilings(analysis.run):
        if each.kind == "read" and each.value > 0:
            found.setdefault(each.device, {})[each.residency] = each.value
    return {
        device: ReadRates(device, own["memory"], own.get("cache"))
        for device, own in found.items()
        if "memory" in own
    }


def reading(analysis: Analysis, panel: str) -> list[Measurement]:
    """The times of problems that mostly read keys and values, on devices with a read rate.

    Those have FEW_QUERIES times as many keys as queries or more. Times are those with the most
    threads.
    """
    rates = read_rates(analysis)
    return [
        row
        for row in analysis.with_most_threads
        if row.panel == panel
        and row.median_ms
        and any(_work(row))
        and row.problem.device in rates
        and FEW_QUERIES * row.problem.query_length <= row.problem.key_length
    ]


def bytes_per_s(row: Measurement) -> float:
    """The least bytes of a call over its time."""
    return _work(row)[1] / row.median_ms * 1e3


def _of_kind(ceilings: Sequence[Ceiling], device: str, dtype: str) -> tuple[Ceiling, ...]:
    return tuple(
        each
        for each in ceilings
        if each.device == device and each.dtype in ("", dtype) and each.value > 0
    )


def _work(row: Measurement) -> tuple[int, int]:
    """FLOP and fewest bytes of a measurement; 0 and 0 where they are unknown."""
    return work(row.problem, row.panel) or (0, 0)
