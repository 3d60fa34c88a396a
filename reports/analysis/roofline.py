"""Points of a roofline: arithmetic intensity and rate of each measurement, and ceilings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of
from reports.rows.sessions import median_ceilings
from suites.stats.ceilings import Ceiling, work


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


def _of_kind(ceilings: Sequence[Ceiling], device: str, dtype: str) -> tuple[Ceiling, ...]:
    return tuple(
        each
        for each in ceilings
        if each.device == device and each.dtype in ("", dtype) and each.value > 0
    )


def _work(row: Measurement) -> tuple[int, int]:
    """FLOP and fewest bytes of a measurement; 0 and 0 where they are unknown."""
    return work(row.problem, row.panel) or (0, 0)
