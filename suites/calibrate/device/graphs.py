"""The step `graphs`: replays of CUDA graphs after other implementations were set up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

import impls
from impls.interface import Implementation, Problem
from suites.calibrate.device.figure import Figure, Target
from suites.engine.outcome import clear_caches
from suites.engine.set_up import keeping
from suites.measure import precision
from suites.measure.cuda import Spin
from suites.measure.graph import GraphSampler
from suites.measure.inputs import call_of, make_inputs
from suites.measure.preparing import Preparation
from suites.measure.timing import Call

NAMES: Final = ("sdpa_math", "sdpa_efficient", "multi_head")
"""Implementations that keep masks or weights in caches, which their graphs read."""
PROBLEM: Final = "b1 h4 t512 d64 window:128 bf16"
CALLS: Final = 64
OVERWRITTEN_BYTES: Final = 64 << 20
"""Free memory that is filled with NaN before a replay: a graph that reads it gives NaN."""


@dataclass(frozen=True, slots=True)
class _Captured:
    """An implementation, its eager output, and the sampler that holds its graph."""

    name: str
    call: Call
    eager: Tensor
    latest: list[Tensor]
    sampler: GraphSampler = field(compare=False)


def figures(target: Target) -> Iterator[Figure]:
    """Whether each replay equals the eager call."""
    precision.settle()
    problem = Problem.parse(f"{PROBLEM} {target.device}")
    every = impls.load()
    spin = Spin(torch.cuda)
    # All set-ups first, as in the engine: each empties the caches of its file.
    made = [_set_up(each, problem, spin) for each in impls.select(list(NAMES), every)]
    for each in made:
        each.sampler.take((each.call,), CALLS)
    torch.full((OVERWRITTEN_BYTES // 4,), float("nan"), device=target.device)
    equal = [_replayed(each) for each in made]
    for each, same in zip(made, equal, strict=True):
        yield Figure(
            name=f"{each.name}: replay and eager call",
            value="equal" if same else "different",
            expected="equal",
            reason="memory that a graph reads must stay allocated",
            holds=same,
        )
    yield Figure(name="equal replays", value=f"{sum(equal)} of {len(equal)}")


def _set_up(each: Implementation, problem: Problem, spin: Spin) -> _Captured:
    """Prepare an implementation and make its first call, without a graph."""
    clear_caches(each)
    inputs = make_inputs(problem, purpose="selftest", seed=3)
    call = call_of(Preparation(each).bind(problem, inputs), inputs)
    latest: list[Tensor] = []
    kept = keeping(call, latest)
    kept()
    eager = latest[0].clone()
    return _Captured(str(each), kept, eager, latest, GraphSampler(torch.cuda, spin=spin))


def _replayed(each: _Captured) -> bool:
    """Whether a replay writes the eager output again, after its output was overwritten."""
    each.latest[0].zero_()
    each.sampler.take((each.call,), CALLS)
    torch.cuda.synchronize()
    return torch.equal(each.latest[0], each.eager)
