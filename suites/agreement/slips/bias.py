"""The bias is ignored, added in the wrong place, with the wrong sign or at other distances."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_bias, varied

KEYS = ("bias_ignored", "bias_sign", "bias_scaled", "bias_before_softcap", "bias_top_left",
        "bias_of_other_heads", "bias_slopes_fixed", "bias_without_abs")  # fmt: skip
ADD = "scores = scale * (q @ k.transpose(-1, -2)) + bias.between(positions, keys)"


def _suspects(observation: Observation) -> Iterator[Suspect]:
    added, bias = right_bias(observation), observation.inputs.bias
    if added is None or bias is None:
        return
    scale, softcap = observation.problem.softmax_scale, observation.problem.softcap

    def suspect(key: str, sentence: str, cure: str, other: Tensor | float) -> Suspect:
        found = Diagnosis(key, sentence, cure)
        return Suspect(found, partial(_with, observation, scale, other))

    limits = "or state Limits(biases=('none',))"
    yield suspect("bias_ignored", f"the bias ({bias.kind}) is ignored", f"{ADD}, {limits}", 0.0)
    sentence = f"the bias ({bias.kind}) has the wrong sign: it is subtracted"
    yield suspect("bias_sign", sentence, ADD, -added)
    sentence = f"the bias ({bias.kind}) is multiplied by the scale, too"
    yield suspect("bias_scaled", sentence, ADD, scale * added)
    yield from _at_other_distances(observation, suspect)
    heads = added.flip(0)
    sentence = f"the bias ({bias.kind}) is that of the heads in reverse: head 0 gets the last one"
    yield suspect("bias_of_other_heads", sentence, "use bias.values[h] for query head h", heads)
    if softcap is not None:

        def within(raw: Tensor) -> Tensor:
            return softcap * torch.tanh((raw * scale + added) / softcap)

        sentence = f"the bias ({bias.kind}) is added before the softcap, expected after it"
        cure = "scores = softcap * torch.tanh(scores / softcap) + bias"
        found = Diagnosis("bias_before_softcap", sentence, cure)
        yield Suspect(found, lambda: varied(observation, score=within))


def _at_other_distances(observation: Observation, suspect: object) -> Iterator[Suspect]:
    """The bias at other distances, or with other slopes."""
    bias = observation.inputs.bias
    if bias is None or not callable(suspect):
        return
    keys, problem = observation.keys, observation.problem
    distances = observation.positions[:, None] - keys
    if problem.query_length != problem.key_length:
        top = torch.arange(problem.query_length)[:, None] - keys
        sentence = (
            f"the bias ({bias.kind}) is aligned to the first key (top-left): query 0 and key 0 get "
            f"the bias of distance 0, expected {int(distances[0, 0])}"
        )
        cure = "use the positions torch.arange(Tq) + Tk - Tq for the queries"
        yield suspect("bias_top_left", sentence, cure, bias.at(top))
    if bias.kind == "alibi":
        heads = torch.arange(1, problem.query_heads + 1)
        slopes = (2.0 ** (-8 * heads / problem.query_heads)).double()
        fixed = -slopes[:, None, None] * distances.abs()
        sentence = f"the bias has slopes 2^(-8h/H), expected the given ones: {_few(bias.values)}"
        yield suspect("bias_slopes_fixed", sentence, "use bias.values as the slopes", fixed)
        signed = -bias.values[:, None, None] * distances
        sentence = "the bias grows behind the query: minus slope times q - k, expected |q - k|"
        cure = "use -slope * (q_position - k_position).abs()"
        yield suspect("bias_without_abs", sentence, cure, signed)


def _few(values: Tensor) -> str:
    shown = ", ".join(f"{float(value):.4g}" for value in values[:3])
    return f"{shown}, ..." if len(values) > 3 else shown


def _with(observation: Observation, scale: float, added: Tensor | float) -> Iterator[Tensor]:
    softcap = observation.problem.softcap

    def score(raw: Tensor) -> Tensor:
        scores = raw * scale
        return (scores if softcap is None else softcap * torch.tanh(scores / softcap)) + added

    return varied(observation, score=score)


SLIP = Slip(order=100, keys=KEYS, suspects=_suspects)
