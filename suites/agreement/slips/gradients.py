"""Gradients are missing, swapped, of another size, or of one query head of a group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import torch
from torch import Tensor

from suites.agreement.bounds.expected import NAMES
from suites.agreement.gate import apart_as_text
from suites.agreement.observation import Observation, rms
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_heads, right_score, right_weigh

GRADIENTS: Final = NAMES[1:]
LEAST: Final = 1e-3
"""The smallest factor of a gradient that counts as another size; less is unrelated to it."""
NAMED: Final = 1e-2
"""Relative difference of a factor to the scale, up to which the scale is named."""
Tensors = dict[str, Tensor]


def _suspects(observation: Observation) -> Iterator[Suspect]:
    if not observation.problem.training:
        return
    yield from _missing(observation)
    yield from _swapped(observation)
    yield from _of_one_head(observation)
    yield from _without_row_sum(observation)
    yield from _other_size(observation)


def _suspect(observation: Observation, found: Diagnosis, others: Tensors) -> Suspect:
    """A suspect whose outputs are the reference's, except for some gradients."""
    values = observation.values | others
    return Suspect(found, lambda: (values[name] for name in NAMES))


def _missing(observation: Observation) -> Iterator[Suspect]:
    for count in (1, 2, 3):
        for names in combinations(GRADIENTS, count):
            zeros = {name: torch.zeros_like(observation.values[name]) for name in names}
            sizes = ", ".join(f"{rms(observation.values[name]):.3g}" for name in names)
            sentence = (
                f"{_joined(names)} missing: zero or None everywhere, expected an RMS of {sizes}"
            )
            ways = ", ".join(name[1] for name in names)
            cure = (
                f"return {', '.join(names)} from backward(), without None; remove .detach(), .data "
                f"and torch.no_grad() on the way from {ways} to out"
            )
            yield _suspect(observation, Diagnosis("gradient_missing", sentence, cure), zeros)


def _joined(names: Sequence[str]) -> str:
    """Names with their verb: `dq is`, `dq, dk and dv are`."""
    return f"{', '.join(names[:-1])} and {names[-1]} are" if names[1:] else f"{names[0]} is"


def _swapped(observation: Observation) -> Iterator[Suspect]:
    for a, b in combinations(GRADIENTS, 2):
        first, second = observation.values[a], observation.values[b]
        if first.shape == second.shape:
            sentence = f"{a} and {b} are swapped: {a} holds {b}, and the reverse"
            cure = "return gradients in the order of the arguments of forward(): dq, dk, dv"
            found = Diagnosis("gradients_swapped", sentence, cure)
            yield _suspect(observation, found, {a: second, b: first})


def _other_size(observation: Observation) -> Iterator[Suspect]:
    """Gradients that are a multiple of the right ones."""
    off = {
        name: factor
        for name, factor in _factors(observation).items()
        if abs(factor) > LEAST and abs(factor - 1) > observation.unit
    }
    if off:
        others = {name: factor * observation.values[name] for name, factor in off.items()}
        yield _suspect(observation, _size_diagnosis(observation, off), others)


def _factors(observation: Observation) -> dict[str, float]:
    """Each gradient as a multiple of the right one, by least squares."""
    found = {}
    for name, made in zip(GRADIENTS, observation.made[1:], strict=True):
        right = observation.values[name]
        if made.shape == right.shape and rms(right) and made.isfinite().all():
            found[name] = float((made.double() * right).sum() / right.square().sum())
    return found


def _size_diagnosis(observation: Observation, off: dict[str, float]) -> Diagnosis:
    """The diagnosis of gradients of another size, named by the first of them."""
    scale, factor = observation.problem.softmax_scale, next(iter(off.values()))
    found, expected = apart_as_text(factor, 1.0)
    sentence = f"{_joined(list(off))} {found} times the right gradient, expected {expected} times"
    cure = "dq = scale * (dS @ k), dk = scale * (dS.transpose(-1, -2) @ q), dv without the scale"
    for size, why in ((1 / scale, "missing"), (scale, "applied twice")):
        if abs(factor / size - 1) < NAMED:
            return Diagnosis("gradient_scale", f"{sentence}; the scale is {why}", cure)
    return Diagnosis("gradient_size", sentence, cure)


def _without_row_sum(observation: Observation) -> Iterator[Suspect]:
    """Gradients without the sum over the row: dS = P * dP."""
    inputs, problem = observation.inputs, observation.problem
    if inputs.grad is None or problem.softcap is not None:
        return
    heads = right_heads(observation)
    scores = right_score(observation)(inputs.q @ inputs.k[:, heads].mT)
    weights = right_weigh(observation)(scores, observation.seen)
    products = weights * (inputs.grad @ inputs.v[:, heads].mT) * problem.softmax_scale
    dq, dk = products @ inputs.k[:, heads], products.mT @ inputs.q
    summed = torch.zeros_like(inputs.k).index_add(1, heads, dk)
    sentence = "dq and dk lack the sum of each row: dS = P * dP, expected P * (dP - rowsum(P * dP))"
    cure = "dS = P * (dP - (dO * out).sum(-1, keepdim=True))"
    found = Diagnosis("gradient_without_row_sum", sentence, cure)
    yield _suspect(observation, found, {"dq": dq, "dk": summed})


def _of_one_head(observation: Observation) -> Iterator[Suspect]:
    """The gradients dk and dv of the first or the last query head of each group, or their mean."""
    problem, inputs = observation.problem, observation.inputs
    group = problem.query_heads // problem.key_heads
    if group == 1 or inputs.grad is None:
        return
    heads = right_heads(observation)
    leaves = [x[:, heads].detach().requires_grad_() for x in (inputs.k, inputs.v)]
    scores = right_score(observation)(inputs.q @ leaves[0].mT)
    out = right_weigh(observation)(scores, observation.seen) @ leaves[1]
    grouped = (problem.batch, problem.key_heads, group, problem.key_length, -1)
    every = [x.reshape(grouped) for x in torch.autograd.grad(out, leaves, inputs.grad)]
    cure = "dk = dk.view(B, Hk, Hq // Hk, Tk, D).sum(2), and dv the same"
    for how, (dk, dv) in {
        "of the first query head of each group": [x[:, :, 0] for x in every],
        "of the last query head of each group": [x[:, :, -1] for x in every],
        "the mean over the query heads of each group": [x.mean(2) for x in every],
    }.items():
        sentence = f"dk and dv are {how}, expected the sum over its {group} query heads"
        found = Diagnosis("gradient_of_one_head", sentence, cure)
        yield _suspect(observation, found, {"dk": dk, "dv": dv})


SLIP = Slip(
    order=120,
    keys=(
        "gradient_missing",
        "gradients_swapped",
        "gradient_scale",
        "gradient_size",
        "gradient_of_one_head",
        "gradient_without_row_sum",
    ),
    suspects=_suspects,
)
