"""What further calls tell of an implementation whose answer is known: each a fault in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from impls.interface import Bias, BiasValues, Implementation, Problem
from suites.agreement import biases, perturbation, readout
from suites.agreement.caller import Caller
from suites.agreement.expected import Expected
from suites.agreement.gate import NAMES, judge
from suites.agreement.hard import in_other_layout, is_able
from suites.agreement.references import expect_of
from suites.measure.inputs import Inputs, copies, laid_out, make_inputs

BETWEEN: Final = "with another call between forward and backward"
DRAWS: Final = 3
"""Sets of keys that are changed, one after the other."""


@dataclass(frozen=True, slots=True)
class Told:
    """What more calls on the same inputs told: the first fault in words, and if bits repeat."""

    fault: str = ""
    repeatable: bool | None = None


def is_read(implementation: Implementation) -> bool:
    """Whether what it sees can be read out of its answers.

    Projections of a layer would mix one-hot columns, and an approximation sees other keys a little.
    """
    return implementation.projections is None and not implementation.approximates


def misread(caller: Caller, problem: Problem, given: Inputs, seed: int) -> str:
    """Where the keys that it sees, read out, are not those of the mask."""
    told = readout.differences(caller.function(problem, _unbiased(given)), problem, seed)
    if not told or problem.bias.kind == "none":
        return told
    plain = replace(problem, bias=Bias())
    if is_able(caller.implementation, plain):
        without = replace(given, bias=None, sink=_nothing(given.sink))
        if not readout.differences(caller.function(plain, without), plain, seed):
            return f"adds another bias than it is given: where that is zero, {told}"
    return f"{told} (with a bias of zero)"


def told_apart(
    caller: Caller, problem: Problem, given: Inputs, made: Tensor, expected: Expected, seed: int
) -> Told:
    """Whether it repeats its answer bit for bit; if so, which keys it depends on."""
    function = caller.function(problem, given)
    with torch.no_grad():
        again = function(given.q, given.k, given.v).clone()
        repeatable = torch.equal(again, made)
        if not repeatable and problem.training:  # forward alone may take other kernels
            repeatable = torch.equal(again, function(given.q, given.k, given.v))
    if not repeatable:
        return Told("", repeatable=False)

    def expects(inputs: Inputs, rows: Tensor) -> Expected:
        alone = replace(inputs, grad=None)
        return expect_of(caller.implementation, replace(problem, training=False), alone, rows)

    question = perturbation.Question(problem, given, expected, expects)
    fault = perturbation.differences(function, question, again, seed, draws=DRAWS)
    return Told(fault, repeatable=True)


def unlike_the_first(
    caller: Caller, problem: Problem, inputs: Inputs, made: Sequence[Tensor], expected: Expected
) -> str:
    """What is wrong with more answers of this size: to inputs laid out otherwise, and again."""
    other = in_other_layout(problem)
    if is_able(caller.implementation, other):
        given = _laid_out(copies(inputs), other)
        if fault := _fault_beside(caller.call(other, given)(), made, expected):
            return f"in layout {other.layout}, {fault}"
    return after_another(caller, problem, inputs, made, expected)


def after_another(
    caller: Caller, problem: Problem, inputs: Inputs, made: Sequence[Tensor], expected: Expected
) -> str:
    """What is wrong with gradients after another call, or with one between answer and gradients.

    Nothing is asked where there are none.
    """
    if not problem.training:
        return ""
    gradients = [x.clone() for x in made[1:]]
    others = copies(inputs)
    others.q.neg_()
    others.v.neg_()
    caller.call(problem, others)()
    pairs = zip(NAMES[1:], made[1:], gradients, strict=True)
    if late := next((name for name, x, was in pairs if not torch.equal(x, was)), ""):
        return f"its {late} was written over by a later call"
    again = caller.call(problem, copies(inputs), between=others)()
    fault = _fault_beside(again, made, expected)
    return f"{BETWEEN}, {fault}" if fault else ""


def fault_between(
    caller: Caller, problem: Problem, inputs: Inputs, expected: Expected, seed: int
) -> str:
    """What is wrong in training when a second answer is asked for before the first's gradients.

    As every network of two layers does it.
    """
    if not problem.training or caller.implementation.approximates:
        return ""
    others = make_inputs(problem, purpose="between", seed=seed)
    fault = judge(caller.call(problem, copies(inputs), between=others)(), expected)[1]
    return f"{BETWEEN}, {fault}" if fault else ""


def bias_fault(caller: Caller, problem: Problem, seed: int) -> str:
    """What is wrong with what it adds to the scores."""
    each = caller.implementation
    if problem.bias.kind == "none" or not is_read(each) or each.refusals(problem):
        return ""
    given = make_inputs(problem, purpose="hard", seed=seed)
    if given.bias is None:
        return ""
    function = caller.function(problem, replace(given, sink=_nothing(given.sink)))
    return biases.differences(function, problem, given.bias)


def _fault_beside(made: Sequence[Tensor], right: Sequence[Tensor], expected: Expected) -> str:
    """What is wrong with an answer to numbers that were answered right before; mostly no bit is."""
    if all(torch.equal(x, y) for x, y in zip(made, right, strict=True)):
        return ""
    return judge(made, expected)[1]


def _laid_out(inputs: Inputs, problem: Problem) -> Inputs:
    q, k, v = (laid_out(x, problem) for x in (inputs.q, inputs.k, inputs.v))
    grad = None if inputs.grad is None else laid_out(inputs.grad, problem)
    return replace(inputs, q=q, k=k, v=v, grad=grad)


def _unbiased(inputs: Inputs) -> Inputs:
    """The same with a bias that adds nothing and a sink that takes nothing."""
    bias = inputs.bias
    if bias is not None:
        bias = BiasValues(bias.kind, torch.zeros_like(bias.values))
    return replace(inputs, bias=bias, sink=_nothing(inputs.sink))


def _nothing(sink: Tensor | None) -> Tensor | None:
    return None if sink is None else torch.full_like(sink, -1e4)
