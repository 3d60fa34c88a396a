"""The profile of a call: calls with the profiler alternate with plain ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from impls.interface import Problem
from suites.measure import kernels
from suites.measure.profiler import held_memory
from suites.measure.profiler.call_tree import CallTree
from suites.measure.profiler.device_kernels import add_kernels
from suites.measure.profiler.events import Event, events_of
from suites.measure.profiler.held_memory import Change, Places
from suites.measure.profiler.model_layers import LayerFrames, in_model
from suites.measure.profiler.placing import OTHER_PATH, Placed, Placing, operators, placed
from suites.measure.profiler.source_lines import CALL, Frames
from suites.measure.profiler.work import Work, made_bytes, work
from suites.measure.timing import Clock, one_call_ms
from suites.records.in_model import InModel
from suites.records.kernels import Kernel
from suites.records.profile import MemoryProfile, Node

REPEATS: Final = 9
"""Pairs of a plain and a profiled call, at most."""
BUDGET_MS: Final = 5000.0
"""Time of pairs, with reading the profiler's events, after which no further pair begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """The result of profiling a call; fields as in `Profile`.

    results  torch's, of the call with the median time
    """

    plain_ms: tuple[float, ...]
    profiled_ms: tuple[float, ...]
    nodes: tuple[Node, ...]
    memory: MemoryProfile
    kernels: tuple[Kernel, ...]
    in_model: InModel | None
    no_lines: str
    results: Any


def profiled(
    call: Callable[[], object],
    problem: Problem,
    clock: Clock,
    kept_bytes: int,
    now_ns: Callable[[], int] = time.perf_counter_ns,
    frames: Frames = CALL,
) -> Profiled:
    """The profile of a warm call.

    kept_bytes  held before it, above the inputs
    frames      gives the lines of its operators; of a model's step, the layers, too

    Raises ValueError for a call with more events than are read.
    """
    plain_ms: list[float] = []
    tries: list[tuple[Event, Any]] = []
    ends_ns = now_ns() + BUDGET_MS * 1e6
    while not tries or (len(tries) < REPEATS and now_ns() < ends_ns):
        plain_ms.append(one_call_ms(call, clock))
        root, results = events_of(call, shapes=False, device=problem.device)
        add_kernels(root, results.events())
        tries.append((root, results))
    tries.sort(key=lambda each: each[0].span_ns)
    root, results = tries[(len(tries) - 1) // 2]
    found, no_lines = _joined(root, _placed(call, problem.device, frames))
    tree = CallTree(found.operators, partial(_work, problem))
    nodes = tree.build(root)
    changes = held_memory.changes(root)
    return Profiled(
        plain_ms=tuple(plain_ms),
        profiled_ms=tuple(each.span_ns / 1e6 for each, _ in tries),
        nodes=nodes,
        memory=held_memory.profiled(changes, kept_bytes, _places(tree, changes, found)),
        kernels=kernels.of(results.events()),
        in_model=_in_model(root, found, frames, no_lines),
        no_lines=no_lines,
        results=results,
    )


def _placed(call: Callable[[], object], device: str, frames: Frames) -> Placing:
    """The operators of one further call, whose layers alone are counted."""
    if isinstance(frames, LayerFrames):
        frames.calls.clear()
    return placed(call, device, frames)


def _in_model(root: Event, found: Placing, frames: Frames, no_lines: str) -> InModel | None:
    """The times of the layers of a model's step; None for a call, and without lines."""
    if no_lines or not isinstance(frames, LayerFrames):
        return None
    return in_model(root, found.operators, frames.calls)


def _joined(root: Event, found: Placing) -> tuple[Placing, str]:
    """The operators of the timed call with their lines; without, and why, where they differ."""
    timed = list(operators(root))
    if [each.name for each in timed] == [each.event.name for each in found.operators]:
        return found, ""
    return Placing(operators=[Placed(each) for each in timed]), OTHER_PATH


def _places(tree: CallTree, changes: list[Change], found: Placing) -> Places:
    """The places of allocations; shapes and lines of Python if both calls changed memory alike."""
    nodes = list(zip(tree.node_of, tree.line_of, strict=True))
    if [each.bytes for each in changes] != [each.changed for each, _ in found.allocations]:
        return Places(nodes)
    own = dict(enumerate(found.allocations))
    shapes = {place: found.shapes.get(each.storage) for place, (each, _) in own.items()}
    lines = {place: tree.known_line(stack) for place, (_, stack) in own.items()}
    return Places(
        nodes,
        lines={place: line for place, line in lines.items() if line is not None},
        shapes={place: shape for place, shape in shapes.items() if shape},
    )


def _work(problem: Problem, given: Placed, event: Event) -> Work:
    calls = [each.name for each in event.within if each.kind == "operator"]
    return work(event.name, given.inputs, made_bytes(event), problem, calls)
