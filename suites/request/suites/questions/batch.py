"""The same problems in larger batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    cpu = _texts({"h8 t256 causal": (1, 2, 4, 8, 16, 32), "h32/8 t1/2048 full": (1, 4, 16, 64)})
    longer = _texts({"h8 t1024 causal": (1, 2, 4, 8)})
    cuda = _texts(
        {
            "h16 t1024 d128 causal": (1, 2, 4, 8, 16, 32),
            "h32/8 t1/4096 d128 full": (1, 4, 16, 64, 256),
            "h16 t4096 d128 causal": (1, 2, 4, 8),
        }
    )
    return unlabelled(typed(devices, gpu, cpu=(*cpu, *longer), cuda=cuda))


def _texts(batches: dict[str, tuple[int, ...]]) -> Iterator[str]:
    yield from (f"b{size} {text}" for text, sizes in batches.items() for size in sizes)


SUITE: Final = Suite(
    name="batch",
    asks="Which batch size is worth its time and memory?",
    description="batches of 1 to 32 at length 256, 1 to 8 at length 1024, and 1 to 64 of one "
    "query over 2048 keys",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention",),
    left_out=("training: --pass training measures it",),
)
