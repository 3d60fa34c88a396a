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
ROWS: Final = 64
"""Query rows whose sums are repeated, at most."""
CURE: Final = (
    "accumulate in float32: acc = torch.zeros(..., dtype=torch.float32), and round once at the end"
)


def _suspects(observation: Observation) -> Iterator[Suspect]:
    problem, out = observation.problem, observation.values["out"]
    if problem.dtype not in ("float16", "bfloat16") or problem.sink:
        return
    if not observation.is_wrong or observation.made[0].shape != out.shape:
        return
    rows = torch.linspace(0, problem.query_length - 1, min(ROWS, problem.query_length)).long()
    made, right = observation.made[0][:, :, rows], out[:, :, rows]
    allowed = PART * apart(made, right)
    for block in (block for block in BLOCKS if block < problem.key_length):
        for scores in _scores(observation):
            for name, other in _sums(observation, scores[:, :, rows], block):
                if apart(made, other) <= allowed:
                    yield Suspect(_diagnosis(problem.dtype, name, block))
                    return


def _diagnosis(dtype: str, name: str, block: int) -> Diagnosis:
    keys = "key by key" if block == 1 else f"{block} keys at a time"
    sentence = f"{name} is summed in {dtype}, {keys}, expected in float32"
    return Diagnosis("half_precision_sums", sentence, CURE)


def _scores(observation: Observation) -> Iterator[Tensor]:
    """Exact scores, and scores that are rounded as half-precision products are."""
    inputs, dtype = observation.inputs, observation.dtype
    raw = inputs.q @ inputs.k[:, right_heads(observation)].mT
    score = right_score(observation)
    for products in (raw, raw.to(dtype).double()):
        scores = score(products).masked_fill(~observation.seen, float("-inf"))
        yield scores if products is raw else scores.to(dtype).double()


def _sums(observation: Observation, scores: Tensor, block: int) -> Iterator[tuple[str, Tensor]]:
    """Outputs with one sum, or both, in the problem's dtype."""
    dtype = observation.dtype
    top = scores.amax(-1, keepdim=True).clamp_min(torch.finfo(dtype).min)
    weights = torch.exp(scores - top)
    values = observation.inputs.v[:, right_heads(observation)]
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


SLIP = Slip(order=125, keys=("half_precision_sums",), suspects=_suspects)
