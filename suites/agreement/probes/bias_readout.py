"""The bias that is added to the scores is the given one, read out of the outputs at a small size.

With q = k = 0 a weight is exp(bias) over the sum of these. v holds one-hot columns, so the
logarithm of the ratio of two outputs of a row is the difference of two biases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from impls import reference
from impls.interface import BiasValues, Problem
from suites.agreement.calls import Caller
from suites.agreement.gate import bound_fault, naive_fault
from suites.agreement.hard_inputs import accepts, kind_of
from suites.agreement.probes.mask_readout import is_readable, without_sink
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import laid_out, make_inputs

LEAST_WEIGHT: Final = 1 / 64
"""Smaller weights are not compared: half precision resolves their logarithm too coarsely."""
ROUNDINGS: Final = 16
"""Allowed error of a logarithm, in roundings u of the dtype times 1 + |bias|."""


def differences(function: Callable[..., Tensor], problem: Problem, bias: BiasValues) -> str:
    """The first key whose bias differs from the given one, as text; empty: none.

    function  of q, k and v, bound with this bias and without a sink
    """
    added, expected = _read_out(function, problem), _expected(problem, bias)
    weights = torch.exp(expected)
    top = weights.argmax(-1, keepdim=True)
    got = (added - added.gather(-1, top)).nan_to_num(nan=0.0, neginf=-1e9)
    wanted = expected - expected.gather(-1, top)
    unit = torch.finfo(getattr(torch, problem.dtype)).eps / 2
    largest = wanted.abs().masked_fill(wanted.isinf(), 0)
    off = (got - wanted).abs() > ROUNDINGS * unit * (1 + largest)
    off &= weights >= LEAST_WEIGHT
    if not off.any():
        return ""
    b, head, row, key = (int(i) for i in off.nonzero()[0])
    other = int(top[b, head, row])
    position = row + problem.key_length - problem.query_length
    return (
        f"the bias is wrong: from query {row}, head {head}, key {key} (distance {position - key}) "
        f"gets {got[b, head, row, key]:.4g} relative to key {other} (distance {position - other}), "
        f"expected {wanted[b, head, row, key]:.4g}"
    )


def _read_out(function: Callable[..., Tensor], problem: Problem) -> Tensor:
    """Logarithms of the weights by the implementation, [B, Hq, Tq, Tk]."""
    columns = problem.value_size
    q = _zeros(problem, problem.query_heads, problem.query_length)
    k = _zeros(problem, problem.key_heads, problem.key_length)
    weights = []
    for first in range(0, problem.key_length, columns):
        hot = torch.eye(problem.key_length)[:, first : first + columns]
        hot = torch.nn.functional.pad(hot, (0, columns - hot.shape[1]))
        v = laid_out(hot.expand(problem.batch, problem.key_heads, *hot.shape), problem)
        with torch.no_grad():
            weights.append(function(q, k, v).double().cpu())
    return torch.cat(weights, -1)[..., : problem.key_length].log()


def _zeros(problem: Problem, heads: int, length: int) -> Tensor:
    return laid_out(torch.zeros(problem.batch, heads, length, problem.head_dim), problem)


def _expected(problem: Problem, bias: BiasValues) -> Tensor:
    """Logarithms of the weights by the bias, [B, Hq, Tq, Tk]; -inf for hidden keys."""
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    rows, keys = torch.arange(problem.batch), torch.arange(problem.key_length)
    positions = torch.arange(problem.query_length) + problem.key_length - problem.query_length
    seen = reference.visible(mask, rows, positions, keys)
    added = BiasValues(bias.kind, bias.values.double().cpu()).at(positions[:, None] - keys)
    scores = reference.scores(torch.zeros_like(added), seen=seen, added=added)
    return reference.weights(scores).log()


def _applies(trial: Trial) -> bool:
    """On the small problem; and at once where the problem itself exceeds the bound."""
    small = kind_of(trial.problem)
    if trial.problem.bias.kind == "none" or not is_readable(trial.implementation):
        return False
    if not accepts(trial.implementation, small):
        return False
    return trial.case.is_plain_small or (trial.case.is_problem_itself and _is_wrong(trial))


def _is_wrong(trial: Trial) -> bool:
    expected = trial.case.expected
    return bool(
        bound_fault(trial.outputs, expected, trial.errors) or naive_fault(trial.outputs, expected)
    )


def _find(trial: Trial) -> str:
    small = kind_of(trial.problem)
    given = make_inputs(small, purpose="hard", seed=trial.case.seed)
    if given.bias is None:
        return ""
    caller = trial.prober
    if trial.case.is_problem_itself:  # times of small calls are not those of the problem
        caller = Caller(trial.prober.preparation, trial.prober.guard)
    return differences(caller.function(small, without_sink(given)), small, given.bias)


PROBE = Probe(order=70, applies=_applies, find=_find)
