"""A made-up run of two steps: one recorded, with what it cannot answer, and one of a model."""

from __future__ import annotations

import math
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case, Step, Unexpressed
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import timed_run

RECORDED: Final = "train.py, one training step"
MODEL: Final = "Transformer big, one sentence"
FULL, WINDOW, CAUSAL, SHORT = (
    Problem.parse(f"h8 t{size} fp32 cpu")
    for size in ("512 full", "1024 window:128", "1024 causal", "512 causal")
)
BY: Final = "scaled_dot_product_attention"
CASES: Final = (
    Case(
        problem=FULL,
        label="encoder self-attention",
        source="train.py:41",
        step=RECORDED,
        count=6,
        took_ms=0.5,
        by=BY,
    ),
    Case(problem=WINDOW, label="window layer", step=RECORDED, count=12, scaled="batch 1 of 32"),
    Case(problem=Problem.parse("h8 t700 causal fp32 cpu"), label="short decoder", step=RECORDED),
    Case(problem=Problem.parse("h8 t9000 causal fp32 cpu"), label="very long", step=RECORDED),
    Case(problem=FULL, label="big encoder", source="arXiv:1706.03762", step=MODEL, count=6),
    Case(problem=CAUSAL, step=MODEL, count=6),
)
STEPS: Final = (
    Step(
        name=RECORDED,
        took_ms=(79.0, 80.0, 81.0),
        unexpressed=(Unexpressed(reason="dropout 0.1", count=2, took_ms=1.5, place="train.py:7"),),
    ),
)
NAMES: Final = ("sdpa", "chunked", "local_window", "naive")
_SPEED: Final = {"sdpa": 1.0, "chunked": 1.5, "local_window": 1.1, "naive": 3.0}


def ms(of: Problem, name: str, session: int) -> float | None:
    """Windows are fastest by local_window, which refuses full attention."""
    if name == "local_window" and of.mask.is_full:
        return None
    seen = 256 if name == "local_window" and of.mask.kind == "window" else of.key_length
    took = of.query_heads * of.query_length * seen / 2**22
    return took * _SPEED[name] * (1 + 0.01 * math.sin(3 * session + len(name)))


def steps_run(threads: tuple[int, ...] = (2,)) -> tuple[Run, list[Record]]:
    """The run and its records."""
    problems = (FULL, WINDOW, CAUSAL, SHORT)
    return timed_run(ms, CASES, steps=STEPS, problems=problems, names=NAMES, threads=threads)
