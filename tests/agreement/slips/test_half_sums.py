"""Sums in half precision are named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall
from tests.agreement.slips.tracing import Traced, traced


def key_by_key(call: AttentionCall) -> Tensor:
    """Numerator and sum of the softmax, accumulated in the dtype of q, one key after the other."""
    scores = call.scores.float()
    weights = torch.exp(scores - scores.amax(-1, keepdim=True).clamp_min(-1e30))
    out, total = torch.zeros_like(call.q), torch.zeros_like(call.q[..., :1])
    for key in range(call.k.shape[2]):
        weight = weights[..., key : key + 1]
        out = (out + weight * call.values[:, :, key : key + 1]).to(call.q.dtype)
        total = (total + weight).to(call.q.dtype)
    return out / total.clamp_min(1e-6)


def normalised_key_by_key(call: AttentionCall) -> Tensor:
    weights = torch.softmax(call.scores.float(), -1).nan_to_num(0.0)
    out = torch.zeros_like(call.q)
    for key in range(call.k.shape[2]):
        product = weights[..., key : key + 1] * call.values[:, :, key : key + 1]
        out = (out + product).to(call.q.dtype)
    return out


CURE = "accumulate in float32"
CASES = (
    traced(key_by_key, "h4 t256 d64 full bf16", "half_precision_sums",
           "is summed in bfloat16, key by key, expected in float32", CURE),
    traced(normalised_key_by_key, "h4 t256 d64 full bf16", "half_precision_sums",
           "out is summed in bfloat16, key by key", CURE),
    traced(key_by_key, "h4 t256 d64 full fp16", "half_precision_sums",
           "is summed in float16, key by key", CURE),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_sum_in_half_precision_is_named(case: Traced) -> None:
    case.holds()
