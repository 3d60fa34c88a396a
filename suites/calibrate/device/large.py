"""The step `large`: scores larger than the memory of the device, beside what needs no scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.calibrate.device import sizes
from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.small_runs import records
from suites.records.record import CHECK

DENSE: Final = "naive"
OTHERS: Final = ("sdpa_flash", "sdpa_efficient", "chunked")
"""None of them holds the scores."""
EXCESS: Final = 1.5
"""The scores of one head take this multiple of the device's memory."""
TIME_LIMIT_S: Final = 12.0


def figures(target: Target) -> Iterator[Figure]:
    """The records of the check."""
    problem = f"b1 h1 t{sizes.too_long(target.memory_bytes, EXCESS)} d64 full bf16"
    found = records(target, (problem,), (DENSE, *OTHERS), sessions=0, time_limit_s=TIME_LIMIT_S)
    status = {r.implementation: r for r in found if r.session == CHECK}
    for name, record in status.items():
        yield Figure(
            name=f"{name} on {problem}",
            value=": ".join(filter(None, (record.status, record.reason))),
        )
    dense = status[DENSE]
    yield Figure(
        name=DENSE,
        value=dense.cause or dense.status,
        expected="device_memory",
        reason=f"its scores take {EXCESS:g} times the memory of the device",
        holds=dense.cause == "device_memory",
    )
    able = [name for name in OTHERS if name in status and status[name].status == "ok"]
    yield Figure(
        name="checked in the same run",
        value=", ".join(able) or "none",
        expected=f"one of {', '.join(OTHERS)}",
        reason="the run goes on after an allocation that failed",
        holds=bool(able),
    )
