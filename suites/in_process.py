"""One implementation on one problem in this very process: whether it agrees, and a warm call."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch

from impls.interface import Problem
from suites.agreement.checker import Checker
from suites.engine.outcome import resolve
from suites.measure.inputs import bind, call_of, make_inputs
from suites.measure.timing import clock_for, warm_up
from suites.records.plan import Entry


def fault(entry: Entry, problem: Problem, seed: int) -> str:
    """The fault of its output; empty when it agrees."""
    return _checker(problem, seed).check(resolve(entry.defined, entry.files, entry.readings)).fault


def warm_call(entry: Entry, problem: Problem) -> Callable[[], Any]:
    """A call without arguments, warmed up; returns what `call_of` returns.

    The work is done when it returns: on a GPU the host waits for the device.
    """
    inputs = make_inputs(problem, purpose="in process")
    call = call_of(
        bind(resolve(entry.defined, entry.files, entry.readings), problem, inputs), inputs
    )
    warm_up(call, clock_for(problem.device))
    return call if problem.device != "cuda" else partial(_synchronised, call)


def _synchronised(call: Callable[[], Any]) -> Any:
    made = call()
    torch.cuda.synchronize()
    return made


@lru_cache(maxsize=1)
def _checker(problem: Problem, seed: int) -> Checker:
    """Kept for the next implementation: the reference of a problem is computed once."""
    return Checker(problem, seed)
