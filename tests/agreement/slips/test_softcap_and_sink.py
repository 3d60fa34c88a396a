"""A softcap or a sink that is ignored is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.slips.tracing import Traced, traced


def without_softcap(call: AttentionCall) -> Tensor:
    return attend(replace(call, softcap=None))


def without_sink(call: AttentionCall) -> Tensor:
    return attend(replace(call, sink=None))


def softcap_before_the_scale(call: AttentionCall) -> Tensor:
    if call.softcap is None:
        return attend(call)
    scores = call.scale * call.softcap * torch.tanh(call.q @ call.keys.mT / call.softcap)
    return scores.masked_fill(~call.seen, float("-inf")).softmax(-1) @ call.values


def with_an_extra_logit(call: AttentionCall) -> Tensor:
    scores = call.scale * (call.q @ call.keys.mT)
    exponentials = scores.masked_fill(~call.seen, float("-inf")).exp()
    return exponentials / (1 + exponentials.sum(-1, keepdim=True)) @ call.values


CASES = (
    traced(without_softcap, "h4 t64 d16 full softcap2.0", "softcap_ignored",
           "the softcap of 2 is ignored", "Limits(softcap=False)"),
    traced(softcap_before_the_scale, "h4 t64 d16 full softcap2.0", "softcap_before_scale",
           "the softcap of 2 applies before the scale, expected after it", "torch.tanh(scale *"),
    traced(without_sink, "h4 t64 d16 causal sink", "sink_ignored",
           "the sink is ignored: weights sum to 1", "Limits(sink=False)"),
    traced(with_an_extra_logit, "h4 t64 d16 causal", "extra_logit",
           "an extra logit of 0 joins the sum of the softmax", "column of zeros"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_softcap_or_sink_that_is_not_applied_is_named(case: Traced) -> None:
    case.holds()
