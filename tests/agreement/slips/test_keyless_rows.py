"""Rows of queries that see no key are named, with what they hold."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall
from tests.agreement.slips.tracing import Traced, traced


def filled(call: AttentionCall, value: float) -> Tensor:
    scores = call.scale * (call.q @ call.keys.mT)
    return torch.softmax(scores.masked_fill(~call.seen, value), -1) @ call.values


def minus_infinity(call: AttentionCall) -> Tensor:
    return filled(call, float("-inf"))


def minus_a_billion(call: AttentionCall) -> Tensor:
    return filled(call, -1e9)


def all_keys(call: AttentionCall) -> Tensor:
    seen = call.seen | ~call.seen.any(-1, keepdim=True)
    scores = (call.scale * (call.q @ call.keys.mT)).masked_fill(~seen, float("-inf"))
    return torch.softmax(scores, -1) @ call.values


def added_constant(call: AttentionCall) -> Tensor:
    scores = call.scale * (call.q @ call.keys.mT)
    return torch.softmax(scores - 10000.0 * (1.0 - call.seen.to(call.q.dtype)), -1) @ call.values


SLIP, CURE = "keyless_rows_not_zero", "out.masked_fill(hidden.all(-1, keepdim=True), 0)"
WHERE = "query 0 of Tq=129, Tk=33 sees no key: its row of out is"
CASES = (
    traced(minus_infinity, "h4 t129/33 d16 causal", SLIP, f"{WHERE} NaN, expected zeros", CURE),
    traced(minus_a_billion, "h4 t129/33 d16 causal", SLIP, f"{WHERE} the mean of v", CURE),
    traced(all_keys, "h4 t129/33 d16 causal", SLIP, f"{WHERE} attention to all keys", CURE),
    traced(added_constant, "h4 t129/33 d16 causal", SLIP, f"{WHERE} not zero", CURE),
    traced(added_constant, "h4 t129/33 d16 causal train", SLIP, f"{WHERE} not zero", CURE),
    traced(
        minus_a_billion,
        "h4 t64/33 d16 causal train",
        SLIP,
        "query 0 of Tq=64, Tk=33 sees no key: its row of out is the mean of v",
        "Limits(keyless_rows=False)",
    ),
    traced(minus_infinity, "h4 t64/33 d16 causal train", SLIP, "is NaN, expected zeros", CURE),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_without_a_key_are_named(case: Traced) -> None:
    case.holds()
