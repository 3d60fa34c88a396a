"""A softmax over the wrong axis, and a mask after the softmax, are named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall
from tests.agreement.slips.tracing import Traced, traced


def over_queries(call: AttentionCall) -> Tensor:
    return torch.softmax(call.scale * (call.q @ call.keys.mT), -2) @ call.values


def masked_late(call: AttentionCall) -> Tensor:
    weights = torch.softmax(call.scale * (call.q @ call.keys.mT), -1)
    return (weights * call.seen) @ call.values


CASES = (
    traced(
        over_queries,
        "h4 t64 d16 full",
        "softmax_over_queries",
        "over the queries (dim=-2)",
        "torch.softmax(scores, dim=-1)",
    ),
    traced(
        masked_late,
        "h4 t64 d16 causal",
        "mask_after_softmax",
        "keys are hidden after the softmax",
        "before torch.softmax",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrong_softmax_is_named(case: Traced) -> None:
    case.holds()
