"""The problem in the other memory layout (`bhtd`, `bthd`) gives an equally good result."""

from __future__ import annotations

from dataclasses import replace

from impls.interface import Problem
from suites.agreement.hard_inputs import accepts, in_other_layout
from suites.agreement.probes.interleaved_calls import fault_unless_equal
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs, copies, laid_out


def _applies(trial: Trial) -> bool:
    wanted = trial.case.is_problem_itself and trial.is_quick
    exact = not trial.implementation.approximates
    return wanted and exact and accepts(trial.implementation, in_other_layout(trial.problem))


def _find(trial: Trial) -> str:
    other = in_other_layout(trial.problem)
    given = _in_layout_of(other, copies(trial.case.inputs))
    fault = fault_unless_equal(trial, trial.prober.call(other, given)())
    return f"in layout {other.layout}, {fault}" if fault else ""


def _in_layout_of(problem: Problem, inputs: Inputs) -> Inputs:
    q, k, v = (laid_out(x, problem) for x in (inputs.q, inputs.k, inputs.v))
    grad = None if inputs.grad is None else laid_out(inputs.grad, problem)
    return replace(inputs, q=q, k=k, v=v, grad=grad)


PROBE = Probe(order=120, applies=_applies, find=_find)
