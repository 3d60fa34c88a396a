"""Work of an operator that follows from the shapes of its inputs: FLOPs, and bytes at least."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from impls.interface import Problem
from suites.measure.profiler.events import Input


class Work(NamedTuple):
    """Work of one call of an operator; None: it does not follow from the shapes.

    flops  floating-point operations
    bytes  read and written at least
    """

    flops: float | None = None
    bytes: int | None = None


def work(name: str, inputs: tuple[Input | None, ...], made_bytes: int, problem: Problem) -> Work:
    """The work of an operator in its own kernel, without the operators that it calls.

    made_bytes  that it allocates: its output, where it makes one
    problem     whose formula gives the work of a whole attention kernel
    """
    del made_bytes, problem
    if name == "aten::bmm" and inputs[0] and inputs[1]:
        return Work(2.0 * prod(inputs[0].sizes) * inputs[1].sizes[-1])
    return Work()
