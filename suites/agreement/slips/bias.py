"""The bias is ignored, added in the wrong place, with the wrong sign or at other distances."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from impls.interface import BiasValues
from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import varied

KEYS = ("bias_ignored", "bias_sign", "bias_scaled", "bias_before_softcap", "bias_top_left",
        "bias_of_other_heads", "bias_slopes_fixed", "bias_without_abs")  # fmt: skip
ADD = "scores = scale * (q @ k.transpose(-1, -2)) + bias.between(positions, keys)"
CAPPED = "scores = softcap * torch.tanh(scores / softcap) + bias"
NO_BIAS = "Limits(biases=('none',))"
Other = tuple[str, str, str, Tensor]
"""Key, sentence and cure, with the bias that is added instead, [Hq, Tq, Tk]."""


def _suspects(observation: Observation) -> Iterator[Suspect]:
    if observation.inputs.bias is not None:
        for key, sentence, cure, added in _others(observation, observation.inputs.bias):
            yield Suspect(Diagnosis(key, sentence, cure), partial(_with, observation, added))
        yield from _before_softcap(observation, observation.inputs.bias)


def _others(observation: Observation, bias: BiasValues) -> Iterator[Other]:
    """Other values of the bias."""
    positions = observation.positions[:, None]
    added = bias.of_pairs(positions, observation.keys)
    named = f"the bias ({bias.kind})"
    yield "bias_ignored", f"{named} is ignored", f"{ADD}, or state {NO_BIAS}", 0 * added
    yield "bias_sign", f"{named} has the wrong sign: it is subtracted", ADD, -added
    scaled = observation.problem.softmax_scale * added
    yield "bias_scaled", f"{named} is multiplied by the scale, too", ADD, scaled
    unequal = observation.problem.query_length != observation.problem.key_length
    if unequal and bias.kind != "dense":
        yield _top_left(observation, bias, named)
    reverse = f"{named} is that of the heads in reverse: head 0 gets the last one"
    yield "bias_of_other_heads", reverse, "use bias.values[h] for query head h", added.flip(0)
    if bias.kind == "alibi":
        yield from _of_alibi(bias, positions - observation.keys)


def _top_left(observation: Observation, bias: BiasValues, named: str) -> Other:
    """The bias at distances from the first query instead of the last."""
    offset = int(observation.positions[0])
    distances = torch.arange(observation.problem.query_length)[:, None] - observation.keys
    sentence = (
        f"{named} is aligned to the first key (top-left): query 0 and key 0 get the bias of "
        f"distance 0, expected {offset}"
    )
    cure = "use the positions torch.arange(Tq) + Tk - Tq for the queries"
    return "bias_top_left", sentence, cure, bias.at(distances)


def _of_alibi(bias: BiasValues, distances: Tensor) -> Iterator[Other]:
    """The usual slopes, and a distance with its sign."""
    heads = torch.arange(1, len(bias.values) + 1)
    slopes = (2.0 ** (-8 * heads / len(heads))).double()
    sentence = f"the bias has slopes 2^(-8h/H), expected the given ones: {_few(bias.values)}"
    fixed = -slopes[:, None, None] * distances.abs()
    yield "bias_slopes_fixed", sentence, "use bias.values as the slopes", fixed
    sentence = "the bias is minus slope times q - k, expected minus slope times |q - k|"
    signed = -bias.values[:, None, None] * distances
    yield "bias_without_abs", sentence, "use -slope * (q_position - k_position).abs()", signed


def _before_softcap(observation: Observation, bias: BiasValues) -> Iterator[Suspect]:
    """The bias within the softcap."""
    softcap, scale = observation.problem.softcap, observation.problem.softmax_scale
    if softcap is None:
        return
    added = bias.of_pairs(observation.positions[:, None], observation.keys)

    def within(raw: Tensor) -> Tensor:
        return softcap * torch.tanh((raw * scale + added) / softcap)

    sentence = f"the bias ({bias.kind}) is added before the softcap, expected after it"
    found = Diagnosis("bias_before_softcap", sentence, CAPPED)
    yield Suspect(found, lambda: varied(observation, score=within))


def _few(values: Tensor) -> str:
    shown = ", ".join(f"{float(value):.4g}" for value in values[:3])
    return f"{shown}, ..." if len(values) > 3 else shown


def _with(observation: Observation, added: Tensor) -> Iterator[Tensor]:
    """The outputs with another bias."""
    softcap, scale = observation.problem.softcap, observation.problem.softmax_scale

    def score(raw: Tensor) -> Tensor:
        scores = raw * scale
        return (scores if softcap is None else softcap * torch.tanh(scores / softcap)) + added

    return varied(observation, score=score)


SLIP = Slip(order=100, keys=KEYS, suspects=_suspects)
