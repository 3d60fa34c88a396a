"""Ceilings: rates that the machine reached, and the share of them that an implementation reaches.

`suites.measure.ceilings` measures the rates; none is looked up by the name of a device.
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
    """A measured rate of this machine.

    kind       read, copy (bytes read and bytes written both count) or matmul
    dtype      of the matrices, as torch names it; "" for read and copy
    residency  cache: the data fit in the last-level cache; memory: they do not
    value      bytes per second; of a matmul, FLOP per second
    """

    kind: Kind
    dtype: str = ""
    residency: Residency
    value: float
    device: str

    def __post_init__(self) -> None:
        if not 0 <= self.value < math.inf:
            raise ValueError(f"a ceiling of {self.value}; expected a finite rate from 0 up")


def work(problem: Problem, panel: str = "attention") -> tuple[int, int] | None:
    """FLOPs and fewest bytes of a call; those of a layer include its projections.

    None in other panels, and for models: other functions need other numbers of operations.
    """
    if problem.model:
        return None
    if panel == "attention":
        return problem.flops, problem.fewest_bytes
    if panel.startswith("layers"):  # with or without positions, which take few operations
        flops = problem.flops + problem.projection_flops
        return flops, problem.fewest_bytes + problem.projection_bytes
    return None


def attainable_ms(
    problem: Problem, ceilings: Iterable[Ceiling], panel: str = "attention"
) -> float | None:
    """The least time of a call by the roofline model; None without its FLOPs or a ceiling.

    The larger of FLOPs over the best product rate of its dtype, and fewest bytes over the best
    bandwidth. That is usually the cache's, since the inputs may be in the cache.
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
    """The least time over this time: 1 is the ceiling; None without a ceiling."""
    least_ms = attainable_ms(problem, ceilings, panel)
    return None if least_ms is None else least_ms / time_ms
