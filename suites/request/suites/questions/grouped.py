"""Multi-, grouped- and single-key heads at equal query heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed

_KEY_HEADS: Final = (16, 8, 4, 1)
MULTI: Final = "arXiv 1706.03762, section 3.2.2: as many key heads as query heads"
GROUPED: Final = "arXiv 2305.13245: fewer key heads than query heads"
SINGLE: Final = "arXiv 1911.02150: one key head"


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    cpu = _texts("d64", ("t1024", "t1/8192", "t512", "t1/2048", "t2048", "t1/32768"))
    cuda = _texts("d128", ("t4096", "t1/16384", "t2048", "t1/4096", "t8192", "t1/65536"))
    return tuple(map(_case, typed(devices, gpu, cpu=cpu, cuda=cuda)))


def _texts(dim: str, lengths: tuple[str, ...]) -> Iterator[str]:
    for length in lengths:
        mask = "full" if length.startswith("t1/") else "causal"
        yield from (f"h16/{keys} {length} {dim} {mask}" for keys in _KEY_HEADS)


def _case(problem: Problem) -> Case:
    keys = problem.key_heads
    heads, source = (
        ("multi-head", MULTI)
        if keys == problem.query_heads
        else ("single key head", SINGLE)
        if keys == 1
        else (f"{keys} key heads", GROUPED)
    )
    step = "decode" if problem.query_length == 1 else "prefill"
    return Case(
        problem=problem, label=f"{heads}, {step} over {problem.key_length} keys", source=source
    )


SUITE: Final = Suite(
    name="grouped",
    asks="What do fewer key heads save, in prefill and in decode?",
    description="16 query heads over 16, 8, 4 and 1 key heads: prefill at 512 to 2048 tokens, "
    "decode over 2048 to 32768 keys",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention",),
    left_out=("training: --pass training measures it",),
)
