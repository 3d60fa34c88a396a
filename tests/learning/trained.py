"""First losses of a task with a function inside, in this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import pytest
from torch import Tensor

import impls
from impls.interface import Implementation, Problem
from suites.learning import training
from suites.learning.gate import HONEST, JUDGED_STEPS, Gate
from suites.learning.tasks import TASKS

Function = Callable[..., Tensor]


def needs_digits(task: str) -> None:
    if task == "digits":
        pytest.importorskip("sklearn", reason="the extra `models` is not installed")


def problem_of(task: str, words: str = "") -> Problem:
    return Problem.parse(f"{TASKS[task].problems[0]} {words}", device="cpu")


def losses(task: str, function: Function | str, words: str = "") -> tuple[float, ...]:
    """The losses with a function inside, or with an implementation by its name."""
    problem = problem_of(task, words)
    if isinstance(function, str):
        each = impls.load()[function]
        assert isinstance(each, Implementation)
        attend = each.prepared(problem)()
    else:
        mask = problem.mask.resolved(problem.batch, problem.key_length)
        attend = partial(function, mask=mask, scale=problem.softmax_scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "LOOKS", 1)  # a look takes longer than a step and changes no loss
        return training.train(task, problem, attend, JUDGED_STEPS).losses


@cache
def gate_of(task: str, words: str = "") -> Gate:
    return Gate.of({name: losses(task, name, words) for name in HONEST})
