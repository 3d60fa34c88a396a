"""Ceilings: the rates a machine reached, and how close to them an implementation came.

Nothing is looked up by the name of a device; `suites.measure.ceilings` measures the rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from impls.interface import Problem

Kind = Literal["read", "copy", "matmul"]
Residency = Literal["cache", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """A rate that this machine has reached.

    kind       read, copy (bytes read and bytes written both count) or matmul
    dtype      of the matrices, as torch names it; "" for read and copy
    residency  cache: what is worked on fits in the last-level cache; memory: it does not
    value      bytes per second, of a matmul FLOP per second
    """

    kind: Kind
    dtype: str = ""
    residency: Residency
    value: float
    device: str

    def __post_init__(self) -> None:
        if not 0 <= self.value < math.inf:
            raise ValueError(f"a ceiling of {self.value}; expected a rate of 0 or more")


def work(problem: Problem, panel: str = "attention") -> tuple[int, int] | None:
    """FLOPs and fewest bytes of an answer, a layer's with its projections.

    None in any other panel: what computes another function has other sums to do.
    """
    if panel == "attention":
        return problem.flops, problem.fewest_bytes
    if panel == "layers":
        flops = problem.flops + problem.projection_flops
        return flops, problem.fewest_bytes + problem.projection_bytes
    return None


def attainable_ms(
    problem: Problem, ceilings: Iterable[Ceiling], panel: str = "attention"
) -> float | None:
    """The least time an answer can take; None without its work, or a ceiling that it needs.

    Either its FLOPs at the best rate of its dtype or its fewest bytes at the best bandwidth,
    whichever takes longer. The best bandwidth is mostly the cache's: inputs may well be there.
    """
    counted = work(problem, panel)
    here = [each for each in ceilings if each.device == problem.device]
    products = [e.value for e in here if e.kind == "matmul" and e.dtype == problem.dtype]
    bandwidths = [e.value for e in here if e.kind != "matmul"]
    if not counted or not products or not bandwidths:
        return None
    flops, least_bytes = counted
    return 1e3 * max(flops / max(products), least_bytes / max(bandwidths))


def share(
    problem: Problem, time_ms: float, ceilings: Iterable[Ceiling], panel: str = "attention"
) -> float | None:
    """The part of what is attainable that an answer in this time reached; 1 is the ceiling."""
    least_ms = attainable_ms(problem, ceilings, panel)
    return None if least_ms is None else least_ms / time_ms
