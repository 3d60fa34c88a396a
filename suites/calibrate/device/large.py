"""The step `large`: scores larger than the memory of the device, beside what needs no scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from suites.calibrate.device import sizes
from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.small_runs import records
from suites.records.record import Record

DENSE: Final = "naive"
OTHERS: Final = ("sdpa_flash", "sdpa_efficient", "chunked")
"""None of them holds the scores."""
EXCESS: Final = 1.2
"""The scores of one head take this multiple of the device's memory."""
TIME_LIMIT_S: Final = 6.0
"""`chunked` may take longer; the step then relies on the others."""


def figures(target: Target) -> Iterator[Figure]:
    """The records of the check."""
    problem = f"b1 h1 t{sizes.too_long(target.memory_bytes, EXCESS)} d64 full {target.half}"
    found = records(target, (problem,), (DENSE, *OTHERS), sessions=0, time_limit_s=TIME_LIMIT_S)
    yield from verdicts(found)


def verdicts(found: Sequence[Record]) -> Iterator[Figure]:
    """The result of each implementation; whether memory ran out for the dense one alone."""
    status = {each.implementation: each.status for each in found}
    for each in found:
        name = f"{each.implementation} on {each.problem}"
        yield Figure(name=name, value=": ".join(filter(None, (each.status, each.reason))))
    yield Figure(
        name=DENSE,
        value=status.get(DENSE, "no record"),
        expected="out_of_memory",
        reason=f"its scores take {EXCESS:g} times the memory of the device",
        holds=status.get(DENSE) == "out_of_memory",
    )
    able = [name for name in OTHERS if status.get(name) == "ok"]
    yield Figure(
        name="checked in the same run",
        value=", ".join(able) or "none",
        expected=f"one of {', '.join(OTHERS)}",
        reason="the run goes on after an allocation that failed",
        holds=bool(able),
    )
