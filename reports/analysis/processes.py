"""Ratios of implementations that were measured in different processes.

Identical code differs more between processes than within one. So such a ratio has the noise floor
of a twin in another process, and is judged only where threads are bound and sessions suffice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from suites.records.plan import FEWEST_SPLIT
from suites.records.record import Record
from suites.stats.pairing import log_ratios_between, twin_log_ratios


@dataclass(frozen=True, slots=True)
class Twins:
    """Log ratios of identical code on one problem, one for each session.

    within   twin over baseline in one process
    between  the baseline in another process over the baseline
    """

    within: tuple[float, ...] = ()
    between: tuple[float, ...] = ()

    def of(self, base: Iterable[Record], other: Iterable[Record]) -> tuple[float, ...]:
        """Those that apply to a ratio of these two."""
        return self.between if are_apart(base, other) else self.within


def twins(records: Iterable[Record]) -> Twins:
    """The twins among the records of one problem."""
    every = list(records)
    return Twins(tuple(twin_log_ratios(every)), tuple(log_ratios_between(every)))


def are_apart(base: Iterable[Record], other: Iterable[Record]) -> bool:
    """Whether the two were measured in different processes."""
    return len({record.process for record in chain(base, other)}) > 1


def fault(base: Sequence[Record], other: Sequence[Record], found: Twins) -> str:
    """Why a ratio of these two is not judged; empty when it is, or when they share a process."""
    if not are_apart(base, other):
        return ""
    if unbound := next((record.unbound for record in (*base, *other) if record.unbound), ""):
        return f"unpaired: measured in different processes, and {unbound}"
    both = {record.session for record in base} & {record.session for record in other}
    if len(both) < FEWEST_SPLIT:
        return (
            f"measured in different processes, which takes {FEWEST_SPLIT} sessions; "
            f"{len(both)} timed both"
        )
    if not found.between:
        return "measured in different processes, and the baseline was timed in one only"
    return ""
