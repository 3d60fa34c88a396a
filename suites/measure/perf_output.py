"""The lines that `perf stat -x,` prints, as counts of one call."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from suites.records.perf_counters import PerfCounters

EVENTS: Final = {
    "instructions": "instructions",
    "cycles": "cycles",
    "cache-references": "cache_references",
    "cache-misses": "cache_misses",
    "dTLB-load-misses": "dtlb_load_misses",
    "iTLB-load-misses": "itlb_load_misses",
    "task-clock": "task_clock_ms",
    "page-faults": "page_faults",
    "context-switches": "context_switches",
    "cpu-migrations": "cpu_migrations",
}
"""perf's name of each event, and ours of its count."""
IN_KERNEL: Final = ("context_switches", "cpu_migrations")
"""Events that happen in the kernel: perf prints 0 for them where it counts user space only."""
MS_OF: Final = {"": 1.0, "msec": 1.0, "nsec": 1e-6, "ns": 1e-6}
"""Milliseconds of the units in which versions of perf print the task clock."""
NOT_SUPPORTED: Final = (
    "not supported on this machine: the system has no such counter, "
    "as in a virtual machine without access to those of the processor"
)
NOT_COUNTED: Final = "not counted: the counter never ran during the calls; count more calls"
NO_LINE: Final = "perf printed no line for it"
_EVENT: Final = re.compile(r"(?:cpu_\w+/)?([\w-]+)(?:/|:|$)(\w*)")
"""An event as printed, with modifiers: `cycles:u`, on a hybrid processor `cpu_core/cycles/u`."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One count that perf printed.

    printed    the count, or perf's words for none
    user_only  whether the event is counted outside of the kernel only
    running    share of the time that the counter ran; None: not printed
    """

    name: str
    printed: str
    unit: str
    user_only: bool
    running: float | None


def counts(printed: str, calls: int, setting: int | None) -> PerfCounters:
    """The counts of one call; a reason where no line is a count.

    calls    that were counted
    setting  kernel.perf_event_paranoid, which says why the kernel's work is not counted
    """
    lines = [line for text in printed.splitlines() if (line := _line(text))]
    if not lines:
        said = f"perf printed {message(printed)!r}, expected counts"
        return PerfCounters(reason=f"hardware counters were not read: {said}")
    values: dict[str, float] = {}
    absent: dict[str, str] = {}
    for name in EVENTS.values():
        found = _total([line for line in lines if line.name == name], setting)
        if isinstance(found, str):
            absent[name] = found
        else:
            values[name] = found / calls
    running = [line.running for line in lines if line.name in values and line.running is not None]
    return PerfCounters(
        values=values,
        absent=absent,
        reason="" if values else "; ".join(dict.fromkeys(absent.values())),
        user_only=any(line.user_only for line in lines),
        least_counted=min(running, default=None),
    )


def message(printed: str) -> str:
    """The first line with a message of perf; empty without one."""
    lines = (line.strip() for line in printed.splitlines())
    said = (line for line in lines if line and line != "Error:" and not line.startswith("Events "))
    return next(said, "")[:120]


def _line(text: str) -> _Line | None:
    """The count in a line; None for a line of another kind."""
    fields = text.split(",")
    event = _EVENT.match(fields[2]) if len(fields) > 4 else None
    if event is None or event[1] not in EVENTS:
        return None
    share = _number(fields[4])
    return _Line(
        EVENTS[event[1]],
        fields[0],
        fields[1],
        user_only="u" in event[2] and "k" not in event[2],
        running=None if share is None else share / 100,
    )


def _total(lines: Iterable[_Line], setting: int | None) -> float | str:
    """The count of an event, or why there is none.

    A hybrid processor prints a line for each kind of core, which are summed; never tried on one.
    """
    found = [_count(line, setting) for line in lines]
    numbers = [each for each in found if isinstance(each, float)]
    if numbers:
        return sum(numbers)
    return next((each for each in found if isinstance(each, str)), NO_LINE)


def _count(line: _Line, setting: int | None) -> float | str:
    if line.printed == "<not supported>":
        return NOT_SUPPORTED
    if line.printed == "<not counted>":
        return NOT_COUNTED
    if line.user_only and line.name in IN_KERNEL:
        level = "" if setting is None else f", because kernel.perf_event_paranoid is {setting}"
        return f"not permitted: perf counts user space only{level}; 1 permits more"
    number = _number(line.printed)
    if number is None:
        return f"perf printed {line.printed!r}, expected a number"
    if line.name != "task_clock_ms":
        return number
    if line.unit not in MS_OF:
        return f"perf printed it in {line.unit!r}, expected msec"
    return number * MS_OF[line.unit]


def _number(text: str) -> float | None:
    """A finite number of 0 or more; None for other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
