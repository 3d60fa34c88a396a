"""Kernels of measurements: their names, and which implementations ran the same one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from impls.interface import Problem
from suites.records.kernels import Kernel, attention, is_light
from suites.records.plan import Plan
from suites.records.record import Pair, Record

Ran = Mapping[Pair, Sequence[Record]]
"""Records by problem and implementation."""


def kernels_of(found: Iterable[Record]) -> tuple[Kernel, ...]:
    """The kernels that the check recorded; empty where none was seen."""
    return next((record.kernels for record in found if record.kernels), ())


def kernel_names(kernels: Sequence[Kernel]) -> str:
    """The kernels that do the work, by time: those that do more than copy, fill or add.

    All of them where nothing else ran.
    """
    heavy = [each.name for each in kernels if not is_light(each.name)]
    return ", ".join(heavy or [each.name for each in kernels])


def same_kernels(plan: Plan, timed: Ran) -> dict[Pair, str]:
    """For an implementation that ran the same kernel as another of its panel: the other's name.

    The other one is the baseline if it is among those that share a kernel, else the first of them
    in the plan's order. It has no entry. Implementations that the run names by NAME=SPEC are left
    out: they are versions of one thing, and their difference is what the run measures.
    """
    versions = {entry.name for entry in plan.entries if entry.spec}
    return {
        (problem, name): first
        for problem in plan.problems
        for names in plan.panels({n for at, n in timed if at == problem} - versions).values()
        for first, others in _groups(plan, problem, names, timed)
        for name in others
    }


def _groups(
    plan: Plan, problem: Problem, names: Sequence[str], timed: Ran
) -> Iterator[tuple[str, list[str]]]:
    """Each set of implementations that share a kernel: the first, and the others."""
    baseline = plan.baseline_of(names, problem.device)
    by_kernel: dict[object, list[str]] = {}
    for name in sorted(names, key=lambda name: name != baseline):
        if ran := attention(kernels_of(timed[problem, name])):
            by_kernel.setdefault(ran, []).append(name)
    yield from ((own[0], own[1:]) for own in by_kernel.values())
