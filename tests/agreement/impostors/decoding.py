"""Right for many queries; wrong for one query, or a few, over many keys."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from impls.interface import FULL
from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.masks import of_keys, without_keys


@rejected("h4 t1/65 d16 causal", r"sees keys 0\.\.0, expected 0\.\.64$", by="mask_readout")
@rejected(
    "h4 t33/65 d16 causal", "lengths 1/65.*out is wrong", by="rounding_bound", on="lengths 1/65"
)
def one_query_lined_up_at_the_first_key(call: AttentionCall) -> Tensor:
    if call.q.shape[2] > 1:
        return attend(call)
    return without_keys(replace(call, mask=FULL), of_keys(call) > 0)


@rejected("h4 t4/65 d16 causal", r"sees keys 0\.\.64, expected 0\.\.61$", by="mask_readout")
@rejected(
    "h4 t33/129 d16 causal", "lengths 2/7.*out is wrong", by="rounding_bound", on="lengths 2/7"
)
def mask_ignored_for_few_queries(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=FULL) if call.q.shape[2] < 8 else call)


@rejected("h4 t1/256 d16 causal", r"sees keys 0\.\.127, expected 0\.\.255$", by="mask_readout")
@rejected(
    "h4 t1/65 d16 causal", "lengths 1/256.*out is wrong", by="rounding_bound", on="lengths 1/256"
)
def one_query_over_128_keys_at_most(call: AttentionCall) -> Tensor:
    one = call.q.shape[2] == 1
    return without_keys(call, of_keys(call) >= 128) if one else attend(call)


@rejected("h4 t1/300 d16 window:100", r"sees keys 0\.\.299, expected 200", by="mask_readout")
@rejected(
    "h4 t1/65 d16 window:100", "lengths 1/33.*out is wrong", by="rounding_bound", on="lengths 1/33"
)
def window_ignored_for_one_query(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=FULL) if call.q.shape[2] == 1 else call)


@rejected("h4 t1/64 d16 full", r"sees keys 0\.\.63 as expected, but with", by="mask_readout")
@rejected("h4 t1/33 d16 causal", r"lengths 1/64.*is wrong", by="rounding_bound", on="lengths 1/64")
def parts_of_keys_averaged_for_one_query(call: AttentionCall) -> Tensor:
    """Parts of unequal length are merged without their sums."""
    if call.q.shape[2] > 1 or call.k.shape[2] < 64:
        return attend(call)
    later = torch.arange(call.k.shape[2]) >= 48
    return (without_keys(call, later) + without_keys(call, ~later)) / 2
