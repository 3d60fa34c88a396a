"""Forward, and forward with backward, of the same problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    cpu = (
        *("h8 t1024 causal", "h8 t256 causal", "h8 t512 causal", "h8 t1024 window:256"),
        *("h8/2 t1024 causal", "h8 t1024 full", "h8 t2048 causal", "b8 h8 t128 full"),
    )
    cuda = (
        *("h16 t4096 d128 causal", "h16 t1024 d128 causal", "h16 t2048 d128 causal"),
        *("h16 t4096 d128 window:512", "h16/4 t4096 d128 causal", "h16 t4096 d128 full"),
        *("h16 t8192 d128 causal", "b16 h16 t512 d128 full"),
    )
    return unlabelled(typed(devices, gpu, cpu=_both(cpu), cuda=_both(cuda)))


def _both(texts: tuple[str, ...]) -> Iterator[str]:
    """Each problem forward, then in training, so that a budget leaves out whole pairs."""
    yield from (f"{text}{word}" for text in texts for word in ("", " train"))


SUITE: Final = Suite(
    name="training",
    asks="Which is the fastest in training, and which part of it is the backward pass?",
    description="forward, and forward with backward, at lengths 256 to 2048: causal, full, a "
    "window of 256 and grouped heads; the backward share is an estimate from both",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention", "layers"),
    left_out=("backward alone: it is not timed by itself; its share is estimated",),
)
