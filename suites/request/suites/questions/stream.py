"""Requests of different lengths, one after the other, as a server without batching has them.

Lengths follow the distribution of the suite `serving`. Compiled code is kept from one length to the
next. Each length is new in its process, so that its first call has the set-up that a server pays.
The check has filled the compiler's cache on disk before: a compilation here is that of a second
start.
"""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.questions.serving import MEAN, drawn
from suites.request.suites.suite import Gpu, Suite

CALLS: Final = 50
STEP: Final = f"{CALLS} prompts, one after the other"
SOURCE: Final = (
    "log-normal lengths with the mean of ShareGPT, 499.3 tokens, arXiv 2309.06180, figure 11; "
    "drawn with a fixed seed"
)


def lengths(mean: float) -> tuple[int, ...]:
    """Different lengths in random order; one that was drawn before becomes the next free one."""
    found: dict[int, None] = {}
    for drawn_length in drawn(CALLS, mean):
        length = drawn_length
        while length in found:
            length += 1
        found[length] = None
    return tuple(found)


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    on_gpu = devices[0] == "cuda"
    words = f"h32/8 d128 causal {gpu.dtype} cuda" if on_gpu else "h8 d64 causal"
    return tuple(
        Case(
            problem=Problem.parse(f"{words} t{length}"),
            label=f"prompt of {length} tokens",
            source=SOURCE,
            step=STEP,
        )
        for length in lengths(4 * MEAN if on_gpu else MEAN)
    )


SUITE: Final = Suite(
    name="stream",
    asks="What do fifty different lengths cost, with set-up and compilations?",
    description="50 causal prompts of log-normal lengths, mean 499, 8 heads, D 64, one after the "
    "other with compiled code kept; on a GPU four times the length, 32 heads over 8 key heads",
    cases=_cases,
    minutes=8.0,
    sessions=2,
    round_budget_ms=40.0,
    budget_s=7 * 60.0,
    names=("chunked", "sdpa", "sdpa_flash"),
    variants=("compiled[dynamic=True]",),
    keep_compiled=True,
    left_out=(
        (
            "code that is compiled for each length: 50 compilations exceed the minutes on a CPU; "
            "--impl compiled --impl flex measures it"
        ),
    ),
)
