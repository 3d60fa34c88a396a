"""Masks that are aligned to the first key are named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from impls.interface.rows import slices
from tests.agreement.attention_call import AttentionCall
from tests.agreement.slips.tracing import Traced, softmaxed, traced


def is_causal_of_torch(call: AttentionCall) -> Tensor:
    return scaled_dot_product_attention(
        call.q, call.k, call.v, is_causal=True, scale=call.scale, enable_gqa=True
    )


def tril_without_offset(call: AttentionCall) -> Tensor:
    seen = torch.ones(call.q.shape[2], call.k.shape[2], dtype=torch.bool).tril()
    return softmaxed(call, ~seen)


def window_by_rows(call: AttentionCall) -> Tensor:
    apart = torch.arange(call.q.shape[2])[:, None] - torch.arange(call.k.shape[2])
    left, right = call.mask.left or 1, call.mask.right or 0
    return softmaxed(call, (apart >= left) | (apart < -right))


def top_left_in_each_row(call: AttentionCall) -> Tensor:
    rows = slices(call.mask.rows or ())
    parts = [
        scaled_dot_product_attention(
            call.q[:, :, queries], call.k[:, :, keys], call.v[:, :, keys], is_causal=True
        )
        for queries, keys in rows
    ]
    return torch.cat(parts, dim=2)


CASES = (
    traced(
        top_left_in_each_row,
        "h4 d16 causal+rows:16/32+8/32",
        "causal_top_left",
        "causal is aligned to the first key (top-left): query 0 of Tq=24, Tk=64 sees keys 0..0, "
        "expected 0..16",
        "use torch.ones(Tq, Tk, dtype=torch.bool).tril(diagonal=Tk - Tq)",
    ),
    traced(
        is_causal_of_torch,
        "h4 t33/129 d16 causal",
        "causal_top_left",
        "causal is aligned to the first key (top-left): query 0 of Tq=33, Tk=129 sees keys 0..0, "
        "expected 0..96",
        "use torch.ones(Tq, Tk, dtype=torch.bool).tril(diagonal=Tk - Tq)",
    ),
    traced(
        tril_without_offset,
        "h4 t1/100 d16 causal",
        "causal_top_left",
        "query 0 of Tq=1, Tk=100 sees keys 0..0, expected 0..99",
        "Limits(unequal_lengths=False)",
    ),
    traced(
        tril_without_offset,
        "h4 t64/33 d16 causal",
        "causal_top_left",
        "query 0 of Tq=64, Tk=33 sees keys 0..0, expected none",
        "tril(diagonal=Tk - Tq)",
    ),
    traced(
        window_by_rows,
        "h4 t33/129 d16 window:16:5",
        "window_top_left",
        "the window is aligned to the first key (top-left): query 0 of Tq=33, Tk=129 sees keys "
        "0..5, expected 81..101",
        "torch.arange(Tq) + Tk - Tq",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_mask_that_is_aligned_to_the_first_key_is_named(case: Traced) -> None:
    case.holds()
