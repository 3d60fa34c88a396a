"""Masks, and parts of masks, that are not applied are named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from torch import Tensor

from impls.interface import FULL
from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.slips.tracing import Traced, traced


def without(**parts: Any) -> Form:
    """A function that applies the mask with some fields replaced."""

    def function(call: AttentionCall) -> Tensor:
        return attend(replace(call, mask=replace(call.mask, **parts)))

    function.__name__ = f"without_{'_'.join(parts)}"
    return function


def without_mask(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=FULL))


CASES = (
    traced(
        without_mask,
        "h4 t64 d16 causal",
        "mask_ignored",
        "the mask (causal) is ignored: query 0 of Tq=64, Tk=64 sees keys 0..63, expected 0..0",
        "or state Limits(masks=('full',))",
    ),
    traced(
        without_mask,
        "h4 t64 d16 window:9:5",
        "window_ignored",
        "the mask (window) is ignored: query 0 of Tq=64, Tk=64 sees keys 0..63, expected 0..5",
        "before the softmax",
    ),
    traced(
        without(left=None),
        "h4 t64 d16 window:9",
        "window_ignored",
        "the left side of the window is ignored: query 9 of Tq=64, Tk=64 sees keys 0..9, "
        "expected 1..9",
        "or state Limits(masks=('causal',))",
    ),
    traced(
        without(padding=None),
        "b3 h2 t64 d16 causal+padding:0.5",
        "padding_ignored",
        "padding is ignored: query 32 of Tq=64, Tk=64 sees keys 0..32, expected 0..31",
        "or state Limits(masks=('causal',))",
    ),
    traced(
        without_mask,
        "b3 h2 t64 d16 padding:0.5",
        "padding_ignored",
        "sees keys 0..63, expected 0..31",
        "Limits(masks=('full',))",
    ),
    traced(
        without(documents=None),
        "h2 t64 d16 causal+documents:32x2",
        "documents_ignored",
        "the ends of documents are ignored: query 32 of Tq=64, Tk=64 sees keys 0..32, expected "
        "32..32",
        "Limits(masks=('causal',))",
    ),
    traced(
        without(rows=None),
        "h2 d16 causal+rows:16/32+8/32",
        "rows_ignored",
        "the ends of rows are ignored: query 0 of Tq=24, Tk=64 sees keys 0..40, expected 0..16",
        "Limits(masks=('causal',))",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_ignored_part_of_a_mask_is_named(case: Traced) -> None:
    case.holds()
