"""Swapped axes of heads and positions are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.slips.tracing import Traced, traced


def transposed(call: AttentionCall) -> Tensor:
    return attend(call).transpose(1, 2)


def reshaped(call: AttentionCall) -> Tensor:
    return attend(call).transpose(1, 2).reshape(call.q.shape)


def merged(call: AttentionCall) -> Tensor:
    return attend(call).transpose(1, 2).flatten(2)


def over_heads(call: AttentionCall) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (call.q, call.k, call.v))
    return (torch.softmax(call.scale * (q @ k.mT), -1) @ v).transpose(1, 2)


def split_again(call: AttentionCall) -> Tensor:
    b, heads, length, columns = call.q.shape
    q, k, v = (
        x.reshape(b, x.shape[2], x.shape[1], columns).transpose(1, 2)
        for x in (call.q, call.k, call.v)
    )
    out = attend(replace(call, q=q, k=k, v=v))
    return out.transpose(1, 2).reshape(b, heads, length, columns)


CASES = (
    traced(transposed, "h4 t64 d16 full", "output_transposed",
           "out is [B, T, H, D] instead of [B, H, T, D]: its shape is [1, 64, 4, 16], expected "
           "[1, 4, 64, 16]", "return out.transpose(1, 2)"),
    traced(transposed, "h8 t8 d16 full", "output_transposed", "instead of [B, H, T, D]",
           "layout='bthd'"),
    traced(reshaped, "h4 t64 d16 causal", "output_transposed", "mixes heads and positions",
           "not a reshape"),
    traced(merged, "h4 t64 d16 full", "heads_merged",
           "out is [B, T, H * D], with merged heads: its shape is [1, 64, 64]",
           "out.view(B, Tq, Hq, D).transpose(1, 2)"),
    traced(over_heads, "h4 t64 d16 full", "heads_and_length_swapped",
           "attention is taken over the 4 heads of each position, expected over the 64 positions "
           "of each head", "layout='bthd'"),
    traced(over_heads, "h4 t64 d16 full train", "heads_and_length_swapped", "over the 4 heads",
           "layout='bthd'"),
    traced(split_again, "h4 t64 d16 full", "heads_and_length_swapped",
           "q, k and v are reshaped to [B, T, H, D]", "no view or reshape"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_swapped_axes_are_named(case: Traced) -> None:
    case.holds()
