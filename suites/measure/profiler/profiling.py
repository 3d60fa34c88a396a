"""The profile of a call: calls with the profiler alternate with plain ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from impls.interface import Problem
from suites.measure import kernels
from suites.measure.profiler import held_memory
from suites.measure.profiler.call_tree import CallTree
from suites.measure.profiler.events import Event, events_of
from suites.measure.profiler.placing import OTHER_PATH, Placed, Placing, operators, placed
from suites.measure.profiler.work import Work, work
from suites.measure.timing import Clock, one_call_ms
from suites.records.kernels import Kernel
from suites.records.profile import MemoryProfile, Node

REPEATS: Final = 9
"""Pairs of a plain and a profiled call, at most."""
BUDGET_MS: Final = 5000.0
"""After which no further pair begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """What profiling a call gave; fields as in `Profile`.

    results  torch's, of the call with the median time
    """

    plain_ms: tuple[float, ...]
    profiled_ms: tuple[float, ...]
    nodes: tuple[Node, ...]
    memory: MemoryProfile
    kernels: tuple[Kernel, ...]
    no_lines: str
    results: Any


def profiled(
    call: Callable[[], object], problem: Problem, clock: Clock, kept_bytes: int
) -> Profiled:
    """The profile of a warm call.

    kept_bytes  held before it, above the inputs
    """
    plain_ms: list[float] = []
    tries: list[tuple[Event, Any]] = []
    while len(tries) < REPEATS and sum(plain_ms) * 2 < BUDGET_MS:
        plain_ms.append(one_call_ms(call, clock))
        tries.append(events_of(call, shapes=False, device=problem.device))
    tries.sort(key=lambda each: each[0].took_ns)
    root, results = tries[(len(tries) - 1) // 2]
    found, no_lines = _joined(root, placed(call, problem.device))
    tree = CallTree(found.operators, partial(_work, problem))
    nodes = tree.build(root)
    changes = held_memory.changes(root)
    return Profiled(
        plain_ms=tuple(plain_ms),
        profiled_ms=tuple(each.took_ns / 1e6 for each, _ in tries),
        nodes=nodes,
        memory=held_memory.profiled(
            changes,
            kept_bytes,
            list(zip(tree.node_of, tree.line_of, strict=True)),
            _shapes(changes, found),
        ),
        kernels=kernels.of(results.events()),
        no_lines=no_lines,
        results=results,
    )


def _joined(root: Event, found: Placing) -> tuple[Placing, str]:
    """The operators of the timed call with their lines; without, and why, where they differ."""
    timed = list(operators(root))
    if [each.name for each in timed] == [each.event.name for each in found.operators]:
        return found, ""
    return Placing(operators=[Placed(each) for each in timed]), OTHER_PATH


def _shapes(changes: list[held_memory.Change], found: Placing) -> dict[int, str]:
    """Shapes of allocations, by their position, where both calls changed memory alike."""
    if [each.bytes for each in changes] != [each.changed for each in found.allocations]:
        return {}
    return {
        place: found.shapes[each.storage]
        for place, each in enumerate(found.allocations)
        if each.storage in found.shapes and each.storage is not None
    }


def _work(problem: Problem, given: Placed, event: Event) -> Work:
    made = sum(max(0, each.changed) for each in event.within if each.kind == "memory")
    return work(event.name, given.inputs, made, problem)
