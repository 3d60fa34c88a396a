"""How time and memory grow with length and heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, on_gpu, square, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    return unlabelled(
        problem
        for device in devices
        for problem in (filter(gpu.holds, _scaling_on(gpu)) if device == "cuda" else _grid(device))
    )


def _grid(device: str) -> Iterator[Problem]:
    for training in (False, True):
        for mask in ("full", "causal", "window:256"):
            for heads in (1, 4, 8, 16):
                for length in (128, 256, 512, 1024, 2048, 4096, 8192, 16384):
                    yield square(heads, length, mask, device, training=training)


def _scaling_on(gpu: Gpu) -> Iterator[Problem]:
    for training in (False, True):
        for mask in ("full", "causal", "window:512"):
            for heads in (1, 4, 16, 32):
                for length in (512, 1024, 2048, 4096, 8192, 16384, 32768):
                    yield on_gpu(gpu, heads, length, mask, training=training)


SUITE: Final = Suite(
    name="scaling",
    asks="How do time and memory grow with length and heads, forward and in training?",
    description="lengths 128 to 16384 at 1, 4, 8 and 16 heads, full, causal and "
    "window:256, forward and training, every device; on a GPU lengths 512 to 32768 at 1, "
    "4, 16 and 32 heads, D 128, 16 bits: half an hour",
    cases=_cases,
    minutes=31.0,
    budget_s=30 * 60.0,
)
