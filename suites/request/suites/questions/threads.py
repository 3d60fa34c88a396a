"""The same problems with 1, 2, 4, ... threads, up to all CPUs."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, unlabelled

_DOUBLINGS: Final = tuple(2**power for power in range(10))


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:  # noqa: ARG001 - on the CPU alone
    texts = (
        *("h8 t1024 causal", "h32/8 t1/16384 full", "h1 t2048 causal", "h8 t256 causal"),
        *("b8 h8 t128 full", "h8 t2048 window:256", "h8 t512 causal train"),
    )
    return unlabelled(map(Problem.parse, texts))


SUITE: Final = Suite(
    name="threads",
    asks="How much do more threads help?",
    description="1, 2, 4, ... threads up to all CPUs: lengths 256 to 2048, a single head, one "
    "query over 16384 keys, a batch of short texts, a window and training; on the CPU alone",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    threads=_DOUBLINGS,
    panels=("attention",),
    left_out=("GPUs: threads are those of a CPU",),
)
