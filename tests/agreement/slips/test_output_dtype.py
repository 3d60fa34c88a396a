"""Outputs of another dtype than q are named."""

from __future__ import annotations

import pytest
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.slips.tracing import Traced, traced


def in_float32(call: AttentionCall) -> Tensor:
    return attend(call).float()


def in_float64(call: AttentionCall) -> Tensor:
    return attend(call).double()


CURE = "return out.to(q.dtype)"
CASES = (
    traced(in_float32, "h4 t64 d16 full bf16", "output_dtype",
           "out is torch.float32, expected torch.bfloat16, the dtype of q", CURE),
    traced(in_float64, "h4 t64 d16 causal", "output_dtype",
           "out is torch.float64, expected torch.float32", CURE),
    traced(in_float32, "h4 t64 d16 causal fp64", "output_dtype",
           "out is torch.float32, expected torch.float64", CURE),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_output_of_another_dtype_is_named(case: Traced) -> None:
    case.holds()
