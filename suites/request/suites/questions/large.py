"""Longer and longer, until the memory of the machine does not hold it."""

from __future__ import annotations

from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    cpu = (f"h4 t{2**power} causal" for power in range(10, 16))
    cuda = (f"h16 t{2**power} d128 causal" for power in range(10, 18))
    return unlabelled(typed(devices, gpu, cpu=cpu, cuda=cuda))


SUITE: Final = Suite(
    name="large",
    asks="How long may a sequence be before the memory runs out?",
    description="doubled lengths from 1024 to 32768 at 4 heads, causal; the longest length that "
    "fits is foretold from the measured bytes, and the first length beyond it is attempted",
    cases=_cases,
    minutes=6.0,
    sessions=3,
    budget_s=5 * 60.0,
    panels=("attention",),
    attempts=True,
    left_out=("training: --pass training measures it",),
)
