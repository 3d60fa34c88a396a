"""The step `graphs`: replays of CUDA graphs after other implementations were set up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

import impls
from impls.interface import Implementation, Problem
from suites.calibrate.device import sizes
from suites.calibrate.device.figure import Figure, Target
from suites.engine.outcome import clear_caches
from suites.engine.set_up import keeping
from suites.measure import precision
from suites.measure.cuda import Spin
from suites.measure.graph import Graphs, GraphSampler, NotCapturableError
from suites.measure.inputs import call_of, make_inputs
from suites.measure.preparing import Preparation
from suites.measure.timing import Call

NAMES: Final = ("sdpa_math", "sdpa_efficient", "multi_head(sdpa_efficient)")
"""Implementations that keep masks or weights in caches, which their graphs read."""
SHARE: Final = 4
"""Calls of a graph are short: the length is this part of that of the runs, the window likewise."""
CALL_MS: Final = 0.02
"""Stands for the time of a call: a graph then holds 64 of them."""
TRIES: Final = 5
"""Other programs on the host may delay a launch, which then looks like a synchronization."""
SHARE_OVERWRITTEN: Final = 64
"""The largest block of free memory that is filled with NaN is this part of the device's."""
SMALLEST_BYTES: Final = 512
"""The smallest block of torch's allocator."""


@dataclass(frozen=True, slots=True)
class _Arm:
    """An implementation after its first call.

    calls   that are captured
    eager   the output of the first call
    latest  the output that the graph writes
    """

    name: str
    calls: tuple[Call, ...]
    eager: Tensor
    latest: list[Tensor]


def figures(target: Target) -> Iterator[Figure]:
    """Whether each replay equals the eager call."""
    precision.settle()
    length = max(64, sizes.length(target.memory_bytes) // SHARE)
    words = f"b1 h4 t{length} d64 window:{length // SHARE} {target.half} {target.device}"
    problem = Problem.parse(words)
    every = impls.load()
    # All set-ups first, as in the engine: each empties the caches of its file.
    capability = torch.cuda.get_device_capability()
    named = impls.select(list(NAMES), every)
    arms = [_set_up(each, problem) for each in named if not each.refusals(problem, capability)]
    graphs = Graphs(torch.cuda, Spin(torch.cuda))
    samplers = [_captured(graphs, each) for each in arms]
    filled = list(_fill_free_memory(target))  # a graph that reads freed memory now reads NaN
    equal = [_replayed(each, sampler) for each, sampler in zip(arms, samplers, strict=True)]
    del filled
    for each, same in zip(arms, equal, strict=True):
        yield Figure(
            name=f"{each.name}: replay and eager call",
            value="equal" if same else "different",
            expected="equal",
            reason="memory that a graph reads must stay allocated",
            holds=same,
        )
    yield Figure(
        name="equal replays",
        value=f"{sum(equal)} of {len(arms)}",
        expected="one at least",
        reason="sdpa_math accepts the problem on every device",
        holds=any(equal),
    )


def _set_up(each: Implementation, problem: Problem) -> _Arm:
    """Prepare an implementation and make its first call, without a graph."""
    clear_caches(each)
    inputs = make_inputs(problem, purpose="selftest", seed=3)
    call = call_of(Preparation(each).bind(problem, inputs), inputs)
    latest: list[Tensor] = []
    kept = keeping(call, latest)
    kept()
    eager = latest[0].clone()
    return _Arm(str(each), (kept,), eager, latest)


def _captured(graphs: Graphs, arm: _Arm) -> GraphSampler:
    """The graph of an arm; tried again where a launch outlasted the spin before it."""
    for left in reversed(range(TRIES)):
        try:
            return graphs.sampler(arm.calls, CALL_MS)
        except NotCapturableError as error:
            if error.started or not left:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _fill_free_memory(target: Target) -> Iterator[Tensor]:
    """Blocks of every size, from the smallest, filled with NaN."""
    size = SMALLEST_BYTES
    while size <= target.memory_bytes // SHARE_OVERWRITTEN:
        yield torch.full((size // 4,), float("nan"), device=target.device)
        size *= 2


def _replayed(each: _Arm, sampler: GraphSampler) -> bool:
    """Whether a replay writes the eager output again, after its output was overwritten."""
    each.latest[0].zero_()
    sampler.take(each.calls, 1)
    torch.cuda.synchronize()
    return torch.equal(each.latest[0], each.eager)
