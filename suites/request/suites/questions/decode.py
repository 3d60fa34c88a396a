"""A few queries over many keys, as in generation.

Head shapes are those of Llama 3.2 1B on a CPU and of Llama 3 8B on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed

KEYS: Final = (1024, 4096, 16384, 65536)
_LABELS: Final = {1: "one new token", 4: "4 new tokens", 16: "16 new tokens"}
_SOURCE: Final = (
    "config.json of meta-llama/Llama-3.2-1B: 32 heads, 8 key heads, head dimension 64",
    "config.json of meta-llama/Meta-Llama-3-8B: 32 heads, 8 key heads, head dimension 128",
)


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    batched = (f"b16 h32/8 t1/{keys} d128 full" for keys in KEYS)
    problems = typed(
        devices,
        gpu,
        cpu=_texts("d64"),
        cuda=(text for t in (_texts("d128"), batched) for text in t),
    )
    return tuple(map(_case, problems))


def _texts(dim: str) -> Iterator[str]:
    """The longest caches of several queries come last: they take the most time."""
    yield from (f"h32/8 t1/{keys} {dim} full" for keys in KEYS)
    for keys in KEYS:
        yield from (f"h32/8 t{queries}/{keys} {dim} causal" for queries in (4, 16))


def _case(problem: Problem) -> Case:
    label = f"{_LABELS[problem.query_length]} over {problem.key_length} keys"
    if problem.batch > 1:
        label = f"{label}, batch {problem.batch}"
    return replace(Case(problem=problem), label=label, source=_SOURCE[problem.head_dim == 128])


SUITE: Final = Suite(
    name="decode",
    asks="How fast are the keys and values read where a few tokens are generated?",
    description="1, 4 and 16 queries over 1024 to 65536 keys, 32 heads over 8 key heads; "
    "GB/s stand beside the measured read rate of the machine",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention",),
    variants=("compiled_decode",),  # compiled in 2 s for all problems of a process
    left_out=(
        "batches on a CPU: their caches would not fit the minutes; --batch 8 measures them",
        "paged caches: no implementation here reads one",
    ),
)
