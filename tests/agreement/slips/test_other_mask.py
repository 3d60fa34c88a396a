"""Masks that are read the wrong way round are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.slips.tracing import Traced, softmaxed, traced


def inverted(call: AttentionCall) -> Tensor:
    return softmaxed(call, call.seen)


def transposed(call: AttentionCall) -> Tensor:
    seen = call.q.new_ones(call.q.shape[2], call.k.shape[2], dtype=torch.bool)
    return softmaxed(call, ~seen.triu(call.k.shape[2] - call.q.shape[2]))


def padding_of_the_first_row(call: AttentionCall) -> Tensor:
    ranges = call.mask.padding
    assert isinstance(ranges, tuple)
    return attend(replace(call, mask=replace(call.mask, padding=ranges[:1] * len(ranges))))


def queries_padded(call: AttentionCall) -> Tensor:
    ranges = call.mask.padding
    assert isinstance(ranges, tuple)
    real = torch.stack([(call.positions >= s) & (call.positions < e) for s, e in ranges])
    return softmaxed(call, ~(call.seen & real[:, None, :, None]))


CASES = (
    traced(
        inverted,
        "h4 t64 d16 causal",
        "mask_inverted",
        "the mask is inverted: query 0 of Tq=64, Tk=64 sees keys 1..63, expected 0..0",
        "True means visible",
    ),
    traced(
        inverted,
        "h4 t64 d16 window:9:5",
        "mask_inverted",
        "sees keys 6..63, expected 0..5",
        "invert the mask",
    ),
    traced(
        transposed,
        "h4 t64 d16 causal",
        "mask_transposed",
        "the mask is transposed: query 0 of Tq=64, Tk=64 sees keys 0..63, expected 0..0",
        "use tril()",
    ),
    traced(
        padding_of_the_first_row,
        "b3 h2 t64 d16 padding:0.5",
        "padding_of_another_row",
        "every batch row gets the padding of the first: query 0 in batch row 1 of Tq=64, Tk=64 "
        "sees keys 0..31, expected 16..63",
        "[B, 1, 1, Tk]",
    ),
    traced(
        queries_padded,
        "b3 h2 t64 d16 padding:0.5",
        "padding_hides_queries",
        "padding hides queries, too; it hides keys only: query 32 of Tq=64, Tk=64 sees keys none, "
        "expected 0..31",
        "hide padded keys only",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_mask_that_is_read_the_wrong_way_round_is_named(case: Traced) -> None:
    case.holds()
