"""Steps in a dtype with fewer digits than the inputs are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.slips.tracing import Traced, traced


def cast(dtype: torch.dtype) -> Form:
    """A function that computes everything in one dtype."""

    def function(call: AttentionCall) -> Tensor:
        q, k, v = (x.to(dtype) for x in (call.q, call.k, call.v))
        return attend(replace(call, q=q, k=k, v=v)).to(call.q.dtype)

    function.__name__ = f"in_{dtype}".replace(".", "_")
    return function


def softmax_in_float32(call: AttentionCall) -> Tensor:
    weights = torch.softmax(call.scores, -1, dtype=torch.float32).nan_to_num(0.0)
    return weights.to(call.q.dtype) @ call.values


def inputs_in_bfloat16(call: AttentionCall) -> Tensor:
    q, k, v = (x.bfloat16().to(x.dtype) for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v))


def weights_in_float16(call: AttentionCall) -> Tensor:
    weights = torch.softmax(call.scores, -1).nan_to_num(0.0)
    return weights.half().to(call.q.dtype) @ call.values


def scores_in_bfloat16(call: AttentionCall) -> Tensor:
    q, k = call.q.bfloat16(), call.keys.bfloat16()
    scores = (call.scale * (q @ k.mT)).to(call.q.dtype).masked_fill(~call.seen, float("-inf"))
    return torch.softmax(scores, -1).nan_to_num(0.0) @ call.values


def tf32(call: AttentionCall) -> Tensor:
    q, k, v = (
        ((x.contiguous().view(torch.int32) + 4096) >> 13 << 13).view(torch.float32)
        for x in (call.q, call.k, call.v)
    )
    return attend(replace(call, q=q, k=k, v=v))


FLOAT, HALF = "float32_inside", "half_precision_inside"
CASES = (
    traced(cast(torch.float32), "h4 t64 d16 causal fp64", FLOAT,
           "every element of out is a float32 number: a step is computed in float32, expected "
           "float64", "remove .float()"),
    traced(softmax_in_float32, "h4 t64 d16 causal fp64", FLOAT, "expected float64", "float32"),
    traced(cast(torch.bfloat16), "h4 t64 d16 causal", HALF,
           "every element of out is a bfloat16 number", "autocast"),
    traced(cast(torch.float16), "h4 t64 d16 full", HALF, "every element of out is a float16 number",
           "Limits(dtypes=('float16', 'bfloat16'))"),
    traced(cast(torch.bfloat16), "h4 t64 d64 full fp16", HALF, "is a bfloat16 number",
           "compute in q.dtype"),
    traced(inputs_in_bfloat16, "h4 t64 d16 causal", HALF,
           "q, k and v are rounded to bfloat16, expected float32", "without a step in bfloat16"),
    traced(weights_in_float16, "h4 t64 d16 causal", HALF,
           "the softmax weights are rounded to float16", "without a step in float16"),
    traced(scores_in_bfloat16, "h4 t64 d16 causal", HALF,
           "q, k and the scores are rounded to bfloat16", "without a step in bfloat16"),
    traced(tf32, "h4 t64 d16 full", HALF, "q, k and v are rounded to float16 or TF32",
           "allow_tf32 = False"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_step_in_a_lower_precision_is_named(case: Traced) -> None:
    case.holds()
