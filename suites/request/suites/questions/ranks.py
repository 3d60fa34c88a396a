"""One call divided among two processes, at several lengths, forward and in training."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:  # noqa: ARG001 - on the CPU alone
    texts = (
        *("h8 t1024 full", "h8 t2048 causal", "h8 t1024 causal train", "h8 t4096 causal"),
        *("h8/2 t2048 causal train", "h8 t4096 window:512"),
    )
    return unlabelled(Problem.parse(f"{text} ranks2") for text in texts)


SUITE: Final = Suite(
    name="ranks",
    asks="What does it cost to divide one call among two processes?",
    description="two processes with half of the sequence each, at lengths 1024 to 4096: causal, "
    "full, a window of 512, grouped heads and training; on the CPU alone",
    cases=_cases,
    minutes=6.0,
    round_budget_ms=1000.0,  # calls of 40 to 400 ms: two rounds and more
    budget_s=5 * 60.0,
    names=("ring", "ulysses", "context_parallel"),
    baselines=("ring",),
    left_out=(
        "four ranks and more: they need a core each (--ranks 4)",
        "GPUs: --device cuda where there are two",
    ),
)
