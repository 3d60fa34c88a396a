"""The softcap or the sink is ignored, the softcap applies before the scale, or a sink is added."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from impls import reference
from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_bias, varied

CAP = "scores = softcap * torch.tanh(scale * (q @ k.transpose(-1, -2)) / softcap)"


def _suspects(observation: Observation) -> Iterator[Suspect]:
    problem = observation.problem
    softcap, scale, added = problem.softcap, problem.softmax_scale, right_bias(observation)
    if softcap is not None:
        plus: Tensor | float = 0.0 if added is None else added
        forms = {
            "is ignored": ("softcap_ignored", lambda raw: raw * scale + plus),
            "applies before the scale, expected after it": (
                "softcap_before_scale",
                lambda raw: scale * softcap * torch.tanh(raw / softcap) + plus,
            ),
        }
        for how, (key, score) in forms.items():
            cure = f"{CAP}, or state Limits(softcap=False)"
            found = Diagnosis(key, f"the softcap of {softcap:g} {how}", cure)
            yield Suspect(found, partial(varied, observation, score=score))
    if problem.sink:
        cure = "add exp(sink - maximum) to the sum of the softmax, or state Limits(sink=False)"
        yield Suspect(
            Diagnosis("sink_ignored", "the sink is ignored: weights sum to 1", cure),
            lambda: varied(observation, weigh=_without_sink),
        )
    else:
        sentence = "weights do not sum to 1: an extra logit of 0 joins the sum of the softmax"
        cure = "remove the 1 + or the column of zeros from the sum of the softmax"
        yield Suspect(
            Diagnosis("extra_logit", sentence, cure),
            lambda: varied(observation, weigh=_with_a_zero),
        )


def _without_sink(scores: Tensor, seen: Tensor) -> Tensor:
    return reference.weights(scores.masked_fill(~seen, float("-inf")))


def _with_a_zero(scores: Tensor, seen: Tensor) -> Tensor:
    zero = scores.new_zeros(scores.shape[1], 1, 1)
    return reference.weights(scores.masked_fill(~seen, float("-inf")), zero)


SLIP = Slip(
    order=110,
    keys=("softcap_ignored", "softcap_before_scale", "sink_ignored", "extra_logit"),
    suspects=_suspects,
)
