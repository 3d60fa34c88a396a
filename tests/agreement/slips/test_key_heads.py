"""Query heads that read the wrong key head are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.slips.tracing import Traced, traced


def tiled(call: AttentionCall) -> Tensor:
    group = call.q.shape[1] // call.k.shape[1]
    return attend(replace(call, k=call.k.repeat(1, group, 1, 1), v=call.v.repeat(1, group, 1, 1)))


def first_only(call: AttentionCall) -> Tensor:
    heads = call.q.shape[1]
    k, v = (x[:, :1].expand(-1, heads, -1, -1) for x in (call.k, call.v))
    return attend(replace(call, k=k, v=v))


CURE = "k.repeat_interleave(Hq // Hk, dim=1)"
CASES = (
    traced(
        tiled,
        "h8/2 t64 d16 full",
        "key_heads_tiled",
        "query head 1 of 8 reads key head 1 of 2, should read 0",
        f"use {CURE} instead of k.repeat(1, Hq // Hk, 1, 1)",
    ),
    traced(
        tiled,
        "h4/2 t64 d16 causal",
        "key_heads_tiled",
        "query head 1 of 4 reads key head 1 of 2, should read 0",
        CURE,
    ),
    traced(
        first_only,
        "h8/2 t64 d16 full",
        "key_heads_first_only",
        "query head 4 of 8 reads key head 0 of 2, should read 1",
        CURE,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_first_wrong_key_head_is_named(case: Traced) -> None:
    case.holds()
