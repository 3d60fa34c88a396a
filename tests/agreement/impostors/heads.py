"""Right for two key heads and groups of two; wrong for other numbers of heads."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected

HEADS = "unequal weights or wrong values|out is wrong"


def with_key_heads(call: AttentionCall, heads: list[int]) -> Tensor:
    """Attention whose query heads read these key heads."""
    most = call.k.shape[1] - 1
    places = torch.tensor([min(head, most) for head in heads])
    return attend(replace(call, k=call.k[:, places], v=call.v[:, places]))


def numbers(call: AttentionCall) -> tuple[range, int]:
    """Query heads, and the size of a group."""
    return range(call.q.shape[1]), call.q.shape[1] // call.k.shape[1]


@rejected("h8 t64 d16 full", r"batch 1.*out is wrong", by="rounding_bound", on="batch 1")
@rejected("h3 t64 d16 full", HEADS, by="rounding_bound")
@rejected("h5 t64 d16 causal", r"sees keys none, expected 0\.\.0", by="mask_readout")
def heads_computed_in_pairs(call: AttentionCall) -> Tensor:
    out = attend(call)
    last = out.shape[1] // 2 * 2
    return torch.cat([out[:, :last], 0 * out[:, last:]], 1) if last else out


@rejected("h14/2 t64 d16 full", HEADS, by="mask_readout")
@rejected("h10/2 t64 d16 causal", HEADS, by="rounding_bound")
def key_head_by_a_shift(call: AttentionCall) -> Tensor:
    heads, group = numbers(call)
    return with_key_heads(call, [head >> (group.bit_length() - 1) for head in heads])


@rejected("h6/2 t64 d16 full", HEADS, by="mask_readout")
@rejected("h14/2 t64 d16 full", HEADS, by="rounding_bound")
def groups_rounded_up_to_a_power_of_two(call: AttentionCall) -> Tensor:
    heads, group = numbers(call)
    return with_key_heads(call, [head // (1 << (group - 1).bit_length()) for head in heads])


@rejected("h16/2 t64 d16 full", HEADS, by="mask_readout")
def groups_of_four_at_most(call: AttentionCall) -> Tensor:
    heads, group = numbers(call)
    return with_key_heads(call, [head // min(group, 4) for head in heads])


@rejected("h10/2 t64 d16 full", HEADS, by="mask_readout")
def odd_groups_interleaved(call: AttentionCall) -> Tensor:
    heads, group = numbers(call)
    tiled = [head % call.k.shape[1] for head in heads]
    return with_key_heads(call, tiled if group % 2 else [head // group for head in heads])
