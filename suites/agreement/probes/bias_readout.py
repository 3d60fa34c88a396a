"""The bias that is added to the scores is the given one, read out of the outputs at a small size.

With q = k = 0 a weight is exp(bias) over the sum of these. v holds one-hot columns, so the
logarithm of the ratio of two outputs of a row is the difference of two biases. A function with a
reference of its own is compared with the weights that are read out of its reference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from impls import reference
from impls.interface import AttentionFunction, BiasValues, Problem, implementation
from suites.agreement.attempts import Raised, attempt
from suites.agreement.calls import Caller
from suites.agreement.gate import apart_as_text, bound_fault, naive_fault
from suites.agreement.hard_inputs import accepts
from suites.agreement.key_weights import neutral
from suites.agreement.probes.mask_readout import passes_values
from suites.agreement.small_problems import kind_of
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs, bind, laid_out, make_inputs

LEAST_WEIGHT: Final = 1 / 64
"""Smaller weights are not compared: half precision resolves their logarithm too coarsely."""
ROUNDINGS: Final = 16
"""Allowed error of a logarithm, in roundings u of the dtype times 1 + |bias|, the larger of two."""


def differences(
    function: Callable[..., Tensor],
    problem: Problem,
    bias: BiasValues,
    own: AttentionFunction | None = None,
) -> str:
    """The first key whose bias differs from the given one, as text; empty: none.

    function  of q, k and v, bound with this bias and without a sink
    own       reference of a function other than attention
    """
    added = _read_out(function, problem)
    expected = _expected(problem, bias) if own is None else _of_reference(own, problem, bias)
    weights = torch.exp(expected)
    top = weights.argmax(-1, keepdim=True)
    got = (added - added.gather(-1, top)).nan_to_num(nan=0.0, neginf=-1e9)
    wanted = expected - expected.gather(-1, top)
    unit = torch.finfo(getattr(torch, problem.dtype)).eps / 2
    sizes = (
        _values(problem, bias).abs().expand_as(wanted)
    )  # both biases of a difference are rounded
    largest = torch.maximum(sizes, sizes.gather(-1, top))
    off = (got - wanted).abs() > ROUNDINGS * unit * (1 + largest)
    off &= weights >= LEAST_WEIGHT
    if not off.any():
        return ""
    b, head, row, key = (int(i) for i in off.nonzero()[0])
    other = int(top[b, head, row])
    found, right = apart_as_text(float(got[b, head, row, key]), float(wanted[b, head, row, key]))
    position = row + problem.key_length - problem.query_length
    return (
        f"the bias is wrong: from query {row}, head {head}, key {key} (distance {position - key}) "
        f"gets {found} relative to key {other} (distance {position - other}), "
        f"expected {right}"
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


def _without_sink(inputs: Inputs) -> Inputs:
    """The same inputs with a sink that has no weight."""
    return replace(neutral(inputs), bias=inputs.bias)


def _zeros(problem: Problem, heads: int, length: int) -> Tensor:
    return laid_out(torch.zeros(problem.batch, heads, length, problem.head_dim), problem)


def _expected(problem: Problem, bias: BiasValues) -> Tensor:
    """Logarithms of the weights by the bias, [B, Hq, Tq, Tk]; -inf for hidden keys."""
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    rows, keys = torch.arange(problem.batch), torch.arange(problem.key_length)
    seen = reference.visible(mask, rows, _positions(problem), keys)
    added = _values(problem, bias)
    scores = reference.scores(torch.zeros_like(added), seen=seen, added=added)
    return reference.weights(scores).log()


def _values(problem: Problem, bias: BiasValues) -> Tensor:
    """The bias of every pair in float64, [Hq, Tq, Tk]."""
    wide = BiasValues(bias.kind, bias.values.double().cpu())
    return wide.of_pairs(_positions(problem)[:, None], torch.arange(problem.key_length))


def _positions(problem: Problem) -> Tensor:
    """The positions of the queries on the keys' axis, [Tq]."""
    return torch.arange(problem.query_length) + problem.key_length - problem.query_length


def _of_reference(own: AttentionFunction, problem: Problem, bias: BiasValues) -> Tensor:
    """Logarithms of the weights by a reference in float64, [B, Hq, Tq, Tk]."""
    wide = replace(problem, dtype="float64", device="cpu")
    given = make_inputs(wide, purpose="bias")
    given = replace(given, bias=BiasValues(bias.kind, bias.values.double().cpu()))
    return _read_out(bind(implementation()(own), wide, _without_sink(given)), wide)


def _small(trial: Trial) -> Problem:
    """The small problem whose bias is read out."""
    itself = trial.case.is_problem_itself
    return kind_of(trial.problem, trial.implementation) if itself else trial.problem


def _applies(trial: Trial) -> bool:
    """On the small problem; and at once where the problem itself exceeds the bound."""
    small = _small(trial)
    if trial.problem.bias.kind == "none" or not passes_values(trial.implementation):
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
    small, implementation = _small(trial), trial.implementation
    given = make_inputs(small, purpose="hard", seed=trial.case.seed)
    if given.bias is None:
        return ""
    bias = given.bias

    def find(caller: Caller) -> str:
        function = caller.function(small, _without_sink(given))
        return differences(function, small, bias, own=implementation.reference)

    if trial.case.is_plain_small:
        return find(trial.prober)
    # Times of small calls are not those of the problem. An exception at these sizes leaves the
    # fault to the bound.
    found = attempt(lambda: find(trial.prober.apart()))
    return "" if isinstance(found, Raised) else found


PROBE = Probe(order=70, applies=_applies, find=_find)
