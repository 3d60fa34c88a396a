"""The step `check`: agreement of every implementation on a few problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.small_runs import answered, records

PROBLEMS: Final = (
    "b2 h4/2 t129 d64 causal train",
    "b1 h4 t129 d64 causal {half} train",
    "b1 h4 t129 d64 window:16 {half}",
)
"""Float32 and half precision, forward and training, grouped heads, a window."""
BUDGET_S: Final = 55.0
TIME_LIMIT_S: Final = 20.0


def figures(target: Target) -> Iterator[Figure]:
    """The result of every implementation on every problem."""
    problems = [each.format(half=target.half) for each in PROBLEMS]
    found = records(target, problems, sessions=0, budget_s=BUDGET_S, time_limit_s=TIME_LIMIT_S)
    yield from map(answered, found)
    late = [each for each in found if each.cause == "budget"]
    yield Figure(
        name="results without the time to check",
        value=len(late),
        expected="0",
        reason=f"the check of every implementation takes less than {BUDGET_S:g} s",
        holds=not late,
    )
    counts = Counter(each.status for each in found)
    yield Figure(name="results", value=", ".join(f"{n} {status}" for status, n in counts.items()))
