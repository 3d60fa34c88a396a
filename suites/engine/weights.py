"""The task `ReadWeights`: the attention weights of one implementation on one problem."""

from __future__ import annotations

from functools import partial
from typing import Final

from impls.interface import Implementation, Problem
from suites.agreement.bounds.by_trial import ALL_UP_TO
from suites.agreement.calls import Caller
from suites.agreement.weights_readout import read_out, summary
from suites.engine.call_limits import limited_memory, preparing
from suites.engine.messages import Begin, Refused, WeightsRead
from suites.engine.outcome import clear_caches, recorded, resolve_in
from suites.engine.pipe import Sender
from suites.engine.protocol import ReadWeights
from suites.measure import input_files
from suites.measure.inputs import Inputs, make_inputs
from suites.measure.preparing import Preparation

MIXED: Final = "its projections mix the values, so that no output is the weight of one key"


def read_weights(task: ReadWeights, sender: Sender) -> None:
    """Send the weights of the implementation; the record of its failure where it fails."""
    (name,) = task.implementations
    recorded(task, name, sender, partial(_read, task, name, sender))


def _read(task: ReadWeights, name: str, sender: Sender) -> None:
    """Read the weights out, and compare them with the reference's."""
    each, problem = resolve_in(task, name), task.problem
    if reason := unreadable(each, problem):
        sender.send(Refused(reason=reason))
        return
    clear_caches(each)
    guard = partial(limited_memory, task.settings.memory_limit, problem.device)
    caller = Caller(Preparation(each, partial(preparing, sender)), guard)
    inputs = _inputs(task)
    sender.send(Begin(problem=problem, implementation=name))
    read = read_out(each, caller.function(problem, inputs), problem, inputs)
    sender.send(WeightsRead(weights=summary(each, name, problem, read)))


def unreadable(each: Implementation, problem: Problem) -> str:
    """Why the weights cannot be read out of an implementation; empty where they can."""
    if each.projections is not None:
        return MIXED
    if each.reference is not None and problem.query_length > ALL_UP_TO:
        return (
            f"its own reference is computed for {ALL_UP_TO} queries at most, the problem has "
            f"{problem.query_length}"
        )
    return ""


def _inputs(task: ReadWeights) -> Inputs:
    """The user's own tensors where a file is named; else the problem's, seeded."""
    if task.inputs:
        return input_files.load(task.inputs[0], task.problem)
    return make_inputs(task.problem, purpose="weights", seed=task.seed)
