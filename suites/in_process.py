"""One implementation on one problem in this very process: whether it agrees, and a warm call."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch

from impls.interface import Problem
from suites.agreement.checker import Checker
from suites.engine.answering import resolve
from suites.measure.inputs import bind, call_of, make_inputs
from suites.measure.timing import clock_for, warm_up
from suites.records.plan import Entry


def fault(entry: Entry, problem: str, seed: int) -> str:
    """What is wrong with its answer, in words; empty when it agrees."""
    return _checker(problem, seed).check(resolve(entry.name, entry.files)).fault


def warm_call(entry: Entry, problem: str) -> Callable[[], Any]:
    """A call without arguments, made until its times stood still; as `call_of` gives it.

    When it returns, the work is done: on a GPU the host waits for the device.
    """
    asked = Problem.parse(problem)
    inputs = make_inputs(asked, purpose="in process")
    call = call_of(bind(resolve(entry.name, entry.files), asked, inputs), inputs)
    warm_up(call, clock_for(asked.device))
    return call if asked.device != "cuda" else partial(_finished, call)


def _finished(call: Callable[[], Any]) -> Any:
    made = call()
    torch.cuda.synchronize()
    return made


@lru_cache(maxsize=1)
def _checker(problem: str, seed: int) -> Checker:
    """Kept for the next implementation: the reference of a problem is computed once."""
    return Checker(Problem.parse(problem), seed)
