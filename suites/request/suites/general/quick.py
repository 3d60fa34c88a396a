"""A first look in minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, on_gpu, square, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    if devices[0] == "cuda":
        return unlabelled(filter(gpu.holds, _quick_on(gpu)))
    full = [("full", 4, t) for t in (128, 256, 512, 1024, 2048)]
    window = [("window:128", 4, t) for t in (256, 512, 1024, 2048)]  # at 128 it would be causal
    return unlabelled(
        square(heads, length, mask, devices[0])
        for mask, heads, length in (*full, *window, ("full", 1, 512), ("full", 8, 512))
    )


def _quick_on(gpu: Gpu) -> Iterator[Problem]:
    """The same questions at sizes that occupy a GPU."""
    causal = [("causal", 16, t) for t in (512, 1024, 2048, 4096, 8192)]
    window = [("window:512", 16, t) for t in (1024, 2048, 4096, 8192)]  # at 512 it would be causal
    for mask, heads, length in (*causal, *window, ("causal", 4, 2048), ("causal", 32, 2048)):
        yield on_gpu(gpu, heads, length, mask)


SUITE: Final = Suite(
    name="quick",
    asks="Which implementation is fast here, at which length and with how much memory?",
    description="lengths 128 to 2048 at 4 heads, heads 1 to 8 at length 512, "
    "full and window:128, forward; on a GPU lengths 512 to 8192 at 16 heads, heads 4 to 32 "
    "at length 2048, causal and window:512, D 128, 16 bits: a first look in minutes",
    cases=_cases,
    minutes=2.0,
    round_budget_ms=120.0,
)
