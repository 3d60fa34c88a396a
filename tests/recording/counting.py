"""Calls of a workload, counted."""

from __future__ import annotations

from collections import Counter

from suites.records.workload import Workload


def counts(found: Workload) -> dict[str, int]:
    """Calls by problem and, for those without one, by reason."""
    total: Counter[str] = Counter()
    for each in found.calls:
        total[str(each.problem)] += each.count
    for other in found.others:
        total[other.unexpressed] += other.count
    return dict(total)
