"""The same problems in 32 and in 16 bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import BFLOAT16_FROM, Gpu, Suite, typed, unlabelled

_DTYPES: Final = ("fp32", "bf16", "fp16")


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    cpu = ("h8 t1024 causal", "h32/8 t1/8192 full", "h8 t256 causal", "h8 t1024 causal train")
    cuda = (
        *("h16 t4096 d128 causal", "h32/8 t1/16384 d128 full", "h16 t1024 d128 causal"),
        "h16 t4096 d128 causal train",
    )
    able = _DTYPES if gpu.capability >= BFLOAT16_FROM else ("fp32", "fp16")
    return unlabelled(
        typed(
            devices,
            gpu,
            cpu=_in_each(_DTYPES, (*cpu, "h8 t2048 causal", "h8 t1024 full")),
            cuda=_in_each(able, (*cuda, "h16 t8192 d128 causal", "h16 t4096 d128 full")),
        )
    )


def _in_each(dtypes: tuple[str, ...], texts: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{text} {dtype}" for text in texts for dtype in dtypes)


SUITE: Final = Suite(
    name="dtypes",
    asks="Are 16 bits faster here, and what do they cost in accuracy?",
    description="float32, bfloat16 and float16: lengths 256 to 2048, one query over 8192 keys, "
    "and training at 1024; the error stands beside the time",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention",),
    left_out=("float64: no model runs in it", "8 bits: a problem has no such dtype"),
)
