"""Hardware counters of a call: the value that a profile stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from suites.records.codec import STRICT, Average


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfCounters:
    """Counts of one call, summed over all threads of its process.

    values        by name; `task_clock_ms` is CPU time in milliseconds
    absent        why a counter has no value, by its name
    reason        why no counter has a value; empty when some have
    user_only     whether the work of the kernel for the process is not counted
    least_counted the smallest share of the time that a counter ran. Below 1 the processor had too
                  few counters for all events, and perf scaled the counts. None: not known
    """

    __pydantic_config__: ClassVar = STRICT

    values: dict[str, Average] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    user_only: bool = False
    least_counted: Average | None = None
