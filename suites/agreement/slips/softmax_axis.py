"""The softmax runs over the queries instead of the keys, or is missing."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import varied


def _over_queries(scores: Tensor, seen: Tensor) -> Tensor:
    return torch.softmax(scores.masked_fill(~seen, float("-inf")), -2)


def _suspects(observation: Observation) -> Iterator[Suspect]:
    sentence = "the softmax is taken over the queries (dim=-2), expected over the keys (dim=-1)"
    found = Diagnosis("softmax_over_queries", sentence, "use torch.softmax(scores, dim=-1)")
    yield Suspect(found, lambda: varied(observation, weigh=_over_queries))
    sentence = "keys are hidden after the softmax: the weights of visible keys do not sum to 1"
    cure = "use scores.masked_fill(hidden, float('-inf')) before torch.softmax(scores, dim=-1)"
    if not observation.problem.mask.is_full:
        yield Suspect(
            Diagnosis("mask_after_softmax", sentence, cure),
            lambda: varied(observation, weigh=lambda s, seen: torch.softmax(s, -1) * seen),
        )


SLIP = Slip(order=80, keys=("softmax_over_queries", "mask_after_softmax"), suspects=_suspects)
