"""The implementations of this program with loops of their own, beside the fastest of others."""

from __future__ import annotations

from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed, unlabelled

ON_CPU: Final = (
    "h8 t1024 d64 full",
    *(f"h8 t4096 d64 {mask}" for mask in ("full", "causal")),
    *(f"h8 t4096 d64 window:{reach}" for reach in (64, 256, 1024)),
    "h4 t8192 d64 window:256",
    "h16 t8192 d64 window:256",
    *(f"h8 t2048 d64 {mask} train" for mask in ("full", "causal")),
    "h8 t4096 d64 window:256 train",
    "h8/2 t1/32768 d64 full",
    "h8 t4096 d64 full bf16",
)
ON_CUDA: Final = (
    *(f"h16 t{length} d128 {mask}" for length in (2048, 8192) for mask in ("full", "causal")),
    "h16 t8192 d128 window:256",
    "h16 t2048 d128 causal train",
    "h32/8 t1/32768 d128 full",
)


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    return unlabelled(typed(devices, gpu, cpu=ON_CPU, cuda=ON_CUDA))


SUITE: Final = Suite(
    name="own",
    asks="How close do the implementations of this program come to the fastest ones?",
    description="chunked, local_window, compiled_decode and triton_flash beside sdpa_flash and "
    "compiled Flex: full, causal, windows, training, one query over long keys, bfloat16",
    cases=_cases,
    minutes=14.0,
    round_budget_ms=1000.0,
    budget_s=12 * 60.0,
    slow_starts=True,
    names=("chunked", "local_window", "compiled_decode", "triton_flash", "sdpa_flash", "flex"),
    left_out=(
        "naive: it holds all scores, and other suites have it",
        "multi_head: a layer is compared with layers, in the suite quick",
    ),
)
