"""Neighbour effect: how much a row's calls slow what runs right after them.

Threads of other libraries may spin for some milliseconds after a call, on the CPUs of the next one.
Small SDPA calls were seen to take 6.3 times as long right after ONNX Runtime's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from suites.measure.rounds import Arm

SHARE: Final = 0.05
"""Part of the rounds' budget that the pairs of one arm may take."""
FEWEST, MOST = 3, 20
"""Pairs of a call and a small product, for each arm. Arms without time for the fewest have none."""


def neighbour_ratios(
    arms: Sequence[Arm],
    baseline: str,
    after: Callable[[], float],
    announce: Callable[[int], None],
    budget_ms: float,
) -> dict[str, float]:
    """Time of a small product right after an arm's call, over that after the baseline's; by name.

    after     does the product; returns its milliseconds
    announce  receives the index of an arm before any of its code runs

    Empty without a baseline. All pairs of an arm follow each other: threads that spin after its
    calls would slow the pairs of another arm.
    """
    usual_ms = after()
    took_ms: dict[str, float] = {}
    for index, arm in enumerate(arms):
        count = min(MOST, int(SHARE * budget_ms / (arm.call_ms + usual_ms)))
        if count >= FEWEST:
            announce(index)
            took_ms[arm.name] = median(_pair_ms(arm, after) for _ in range(count))
    own_ms = took_ms.pop(baseline, 0.0)
    return {name: each_ms / own_ms for name, each_ms in took_ms.items()} if own_ms else {}


def _pair_ms(arm: Arm, after: Callable[[], float]) -> float:
    arm.calls[0]()
    return after()
