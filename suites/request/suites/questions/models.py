"""Whole models with an implementation in their attention layers, one model for each mechanism."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from suites.models.kinds import KINDS
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    device = devices[0]
    dtype = gpu.dtype if device == "cuda" else "float32"
    return tuple(
        Case(
            problem=Problem.parse(f"{words} {dtype}", device=device),
            label=f"{kind.name}, {_step(words)}",
            source=kind.class_,
        )
        for kind in KINDS.values()
        for words in kind.problems
    )


def _step(words: str) -> str:
    """The step of a problem in a model, as a label."""
    problem = Problem.parse(words)
    return (
        "training step"
        if problem.training
        else {"forward": "forward", "prefill": "prefill", "decode": "one token"}[problem.model_step]
    )


SUITE: Final = Suite(
    name="models",
    asks="What does the choice of attention change in whole models?",
    description="small models of transformers and diffusers with random weights, one for each "
    "mechanism: forward pass or prefill, one decoded token, training step without optimizer",
    cases=_cases,
    minutes=20.0,
    sessions=5,
    round_budget_ms=1500.0,
    budget_s=18 * 60.0,
    names=("naive", "chunked", "local_window", "sdpa", "sdpa_flash"),
    baselines=("sdpa", "naive"),
    left_out=(
        "published sizes: a step would take minutes; the suites of applications have their calls",
        "decoded tokens of lfm2, jamba and of models with an encoder and a decoder",
        "implementations with a slow start: each layer's problem would be set up in each session",
    ),
)
