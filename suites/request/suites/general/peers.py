"""The suite of the implementations that people use instead, slow starts included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, on_gpu, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    if devices[0] == "cuda":
        return unlabelled(filter(gpu.holds, _peers_on(gpu)))
    return unlabelled(Problem.parse(text, device=devices[0]) for text in _peers_on_a_cpu())


def _peers_on_a_cpu() -> Iterator[str]:
    """Problems of models, the quickest first: a budget that ends leaves out the last.

    Windows are at a length at which most of a dense mask is hidden.
    """
    for length in (256, 1024):
        yield from (f"h4 t{length} d64 full", f"h4 t{length} d64 causal")
    yield "h8/2 t1024 d64 causal"
    yield "h8/2 t1/8192 d64 full"  # causal for one query, too
    yield "h4 t1024 d64 full bf16"
    yield "h4 t1024 d64 causal train"
    yield from (f"h4 t2048 d64 window:{reach}" for reach in (64, 256, 1024))
    yield "h4 t4096 d64 window:256"


def _peers_on(gpu: Gpu) -> Iterator[Problem]:
    """The same questions at sizes that occupy a GPU."""
    for length in (2048, 8192):
        yield from (on_gpu(gpu, 16, length, mask) for mask in ("full", "causal"))
    yield replace(on_gpu(gpu, 32, 2048, "causal"), key_heads=8)
    yield replace(on_gpu(gpu, 32, 32768, "full"), key_heads=8, query_length=1)
    yield on_gpu(gpu, 16, 2048, "causal", training=True)
    yield from (on_gpu(gpu, 16, 8192, f"window:{reach}") for reach in (64, 256, 1024))


SUITE: Final = Suite(
    name="peers",
    asks="What do the implementations that people use instead gain?",
    description="what people use instead, slow starts included: full, causal, windows of "
    "64, 256 and 1024 keys, grouped heads, one query over long keys, bfloat16 and training "
    "at lengths 256 to 4096; attention alone, without layers and approximations: ten "
    "minutes at most",
    cases=_cases,
    minutes=11.0,
    round_budget_ms=500.0,
    budget_s=10 * 60.0,
    slow_starts=True,
    panels=("attention",),
)
