"""Sums over the keys are accumulated in half precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from suites.agreement.observation import Observation, apart
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_heads, right_score

BLOCKS: Final = (1, 16, 32, 64, 128)
"""Keys that are added at a time."""
PART: Final = 0.5
"""The largest part of the output's error that such a sum leaves unexplained."""
CURE: Final = (
    "accumulate in float32: acc = torch.zeros(..., dtype=torch.float32), and round once at the end"
)


def _suspects(observation: Observation) -> Iterator[Suspect]:
    problem = observation.problem
    half = problem.dtype in ("float16", "bfloat16")
    if not half or not observation.is_wrong or problem.sink:
        return
    if observation.made[0].shape != observation.values["out"].shape:
        return
    wrong = apart(observation.made[0], observation.values["out"])
    for block in BLOCKS:
        for name, made in _sums(observation, block):
            if block < problem.key_length and apart(observation.made[0], made) <= PART * wrong:
                keys = "key by key" if block == 1 else f"{block} keys at a time"
                sentence = f"{name} is summed in {problem.dtype}, {keys}, expected in float32"
                yield Suspect(Diagnosis("half_precision_sums", sentence, CURE))
                return


def _sums(observation: Observation, block: int) -> Iterator[tuple[str, Tensor]]:
    """Outputs with one sum, or both, in the problem's dtype."""
    inputs, dtype = observation.inputs, observation.dtype
    heads = right_heads(observation)
    scores = right_score(observation)(inputs.q @ inputs.k[:, heads].mT)
    scores = scores.masked_fill(~observation.seen, float("-inf"))
    top = scores.amax(-1, keepdim=True).clamp_min(torch.finfo(dtype).min)
    weights = torch.exp(scores - top)
    values = inputs.v[:, heads]
    exact = weights.sum(-1, keepdim=True).clamp_min(1.0)
    parts = [slice(n, n + block) for n in range(0, values.shape[2], block)]
    total = _added([weights[..., part].sum(-1, keepdim=True) for part in parts], dtype)
    products = _added([weights[..., part] @ values[:, :, part] for part in parts], dtype)
    divided = weights / exact
    yield "out", _added([divided[..., part] @ values[:, :, part] for part in parts], dtype)
    yield "the numerator of out", products / exact
    yield "the sum of the softmax", weights @ values / total.clamp_min(1e-30)
    yield "out with the sum of the softmax", products / total.clamp_min(1e-30)


def _added(parts: list[Tensor], dtype: torch.dtype) -> Tensor:
    """The sum of the parts, rounded to a dtype after each addition."""
    total = torch.zeros_like(parts[0])
    for part in parts:
        total = (total + part).to(dtype).double()
    return total


SLIP = Slip(order=140, keys=("half_precision_sums",), suspects=_suspects)
