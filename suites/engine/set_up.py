"""What setting an implementation up for a problem gives, before any rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import psutil
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.measure import compilers, timing
from suites.measure.gradients import GradientMode
from suites.measure.preparing import Preparation
from suites.measure.rounds import Arm


@dataclass(slots=True)
class SetUp:
    """What setting an implementation up gave.

    preparation  what it prepared for the problem
    took_ms      wall time of its calls outside of rounds
    beside       figures beside the times
    mode         of its gradients
    alone        the arm with its one sample, where that was taken apart from the rounds
    fault        what is wrong with the output of that sample
    """

    preparation: Preparation
    first_call_ms: float
    took_ms: list[float]
    beside: dict[str, Any]
    mode: GradientMode
    alone: Arm | None = None
    fault: str = ""

    @property
    def implementation(self) -> Implementation:
        """The implementation that was set up."""
        return self.preparation.implementation


def set_up_fields(
    preparation: Preparation, problem: Problem, graphs_before: int | None, compile_ms_before: float
) -> dict[str, Any]:
    """The fields of a record about set-up: the step before the calls, and compilations.

    graphs_before      graphs that torch had compiled before it
    compile_ms_before  milliseconds that it had spent on that
    """
    graphs, before = compilers.compilations(), graphs_before or 0
    known = graphs is not None and (graphs > before or preparation.compiles_with_torch)
    spent_ms = compilers.compile_ms()
    if spent_ms >= compile_ms_before:  # else the implementation has reset torch's clocks
        spent_ms -= compile_ms_before
    return {
        "prepare_ms": preparation.took_ms.get(problem),  # in a model its layers prepare it
        "compilations": (graphs or 0) - before if known else None,
        "compile_ms": spent_ms if known else None,
    }


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


def keeping(call: timing.Call, latest: list[Tensor]) -> timing.Call:
    """The call, which keeps its output in a list; the output before it is released first."""

    def kept() -> None:
        latest.clear()
        latest.extend(cast("tuple[Tensor, ...]", call()))

    return kept
