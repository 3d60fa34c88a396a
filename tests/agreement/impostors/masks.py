"""Hidden keys that are read, and visible keys that are not."""

from __future__ import annotations

from dataclasses import replace
from math import log

import torch
from torch import Tensor
from torch.nn.functional import pad

from impls.interface import FULL, Mask
from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected


def without_keys(call: AttentionCall, dropped: Tensor) -> Tensor:
    """Attention that also hides these keys: a tensor that broadcasts with [B, 1, Tq, Tk]."""
    seen = call.seen & ~dropped
    scores = (call.scale * call.q @ call.keys.mT).masked_fill(~seen, -1e30)
    return torch.softmax(scores, -1).masked_fill(~seen, 0.0) @ call.values


def of_keys(call: AttentionCall) -> Tensor:
    return torch.arange(call.k.shape[2])


@rejected(
    "h4 t100 d16 causal", r"query 0 .* sees keys 0\.\.99, expected 0\.\.0$", by="mask_readout"
)
def mask_ignored(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=FULL))


@rejected(
    "h4 t100 d16 causal", r"query 0 .* sees keys 0\.\.99, expected 0\.\.0$", by="mask_readout"
)
def causal_upside_down(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=Mask(left=1, right=None)))


@rejected(
    "h4 t33/65 d16 causal", r"query 0 .* sees keys 0\.\.0, expected 0\.\.32$", by="mask_readout"
)
@rejected(
    "h4 t1/65 d16 causal", r"query 0 .* sees keys 0\.\.0, expected 0\.\.64$", by="mask_readout"
)
def lined_up_at_the_first_key(call: AttentionCall) -> Tensor:
    rows = torch.arange(call.q.shape[2])
    return without_keys(replace(call, mask=FULL), of_keys(call) > rows[:, None])


@rejected(
    "h4 t100 d16 window:16", r"query 16 .* sees keys 0\.\.16, expected 1\.\.16$", by="mask_readout"
)
def window_one_too_wide(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=replace(call.mask, left=(call.mask.left or 0) + 1)))


@rejected(
    "h4 t100 d16 window:16", r"query 15 .* sees keys 1\.\.15, expected 0\.\.15$", by="mask_readout"
)
def window_one_too_narrow(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=replace(call.mask, left=(call.mask.left or 2) - 1)))


@rejected(
    "h4 t100 d16 window:9:5", r"query 0 .* sees keys 0\.\.0, expected 0\.\.5$", by="mask_readout"
)
def window_on_one_side(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=replace(call.mask, right=0)))


@rejected(
    "h4 t100 d16 window:9:5", r"query 0 .* sees keys 0\.\.8, expected 0\.\.5$", by="mask_readout"
)
def window_of_equal_sides(call: AttentionCall) -> Tensor:
    left = call.mask.left or 1
    return attend(replace(call, mask=replace(call.mask, right=left - 1)))


@rejected("b3 h2 t64 d16 padding:0.5", r"sees keys 0\.\.63, expected 0\.\.31$", by="mask_readout")
def padding_ignored(call: AttentionCall) -> Tensor:
    return attend(replace(call, mask=replace(call.mask, padding=None)))


@rejected("b3 h2 t64 d16 padding:0.5", r"sees keys 32\.\.63, expected 0\.\.31$", by="mask_readout")
def padding_on_the_wrong_side(call: AttentionCall) -> Tensor:
    length, ranges = call.k.shape[2], call.mask.padding
    assert isinstance(ranges, tuple)
    mirrored = tuple((length - end, length - start) for start, end in ranges)
    return attend(replace(call, mask=replace(call.mask, padding=mirrored)))


@rejected(
    "b3 h2 t64 d16 padding:0.5", r"batch row 1.* 0\.\.31, expected 16\.\.63$", by="mask_readout"
)
def padding_of_the_first_batch_row_for_all(call: AttentionCall) -> Tensor:
    ranges = call.mask.padding
    assert isinstance(ranges, tuple)
    return attend(replace(call, mask=replace(call.mask, padding=ranges[:1] * len(ranges))))


@rejected(
    "b2 h2 t65 d16 documents:10/23x2/9",
    r"query 10 .* sees keys 9\.\.32, expected 10\.\.32$",
    by="mask_readout",
)
def documents_see_the_last_key_before_them(call: AttentionCall) -> Tensor:
    ends = torch.tensor(call.mask.documents).cumsum(0)
    document = torch.bucketize(of_keys(call), ends, right=True)
    ended = of_keys(call) == (ends[document] - 1)
    apart = document[:, None] - document
    return without_keys(replace(call, mask=FULL), (apart != 0) & ~((apart == 1) & ended))


@rejected("h4 t100 d16 full", r"query 0 .* sees keys 0\.\.63, expected 0\.\.99$", by="mask_readout")
def last_block_of_keys_dropped(call: AttentionCall) -> Tensor:
    length = call.k.shape[2]
    return without_keys(call, of_keys(call) >= max(length // 64 * 64, min(length, 64)))


@rejected(
    "h4 t100 d16 window:40", r"query 32 .* sees keys 32\.\.32, expected 0\.\.32$", by="mask_readout"
)
def first_block_of_keys_dropped(call: AttentionCall) -> Tensor:
    return without_keys(call, (of_keys(call) < 32) & (call.positions[:, None] >= 32))


@rejected("h4 t100 d16 full", r"sees keys 0\.\.6, 8\.\.99, expected 0\.\.99$", by="mask_readout")
def one_key_missing(call: AttentionCall) -> Tensor:
    return without_keys(call, of_keys(call) == 7)


@rejected("h4 t100 d16 causal", r"query 70 .* keys 0\.\.69, expected 0\.\.70$", by="mask_readout")
def one_query_without_its_own_key(call: AttentionCall) -> Tensor:
    rows = torch.arange(call.q.shape[2])[:, None]
    return without_keys(call, (rows == 70) & (of_keys(call) == call.positions[:, None]))


@rejected(
    "h4 t100 d16 full",
    r"sees keys 0\.\.99 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
def one_key_weighed_twice(call: AttentionCall) -> Tensor:
    scores = call.scores + (of_keys(call) == 5) * log(2)
    return torch.softmax(scores, -1) @ call.values


@rejected("h1 t1100 d64 full", r"sees keys 0\.\.1023, expected 0\.\.1099$", by="mask_readout")
def no_more_than_1024_keys(call: AttentionCall) -> Tensor:
    return without_keys(call, of_keys(call) >= 1024)


@rejected("h4 t33/65 d16 full", r"sees keys 32\.\.64, expected 0\.\.64$", by="mask_readout")
def equal_lengths_only(call: AttentionCall) -> Tensor:
    missing = call.k.shape[2] - call.q.shape[2]
    k, v = (pad(x[:, :, max(missing, 0) :], (0, 0, max(-missing, 0), 0)) for x in (call.k, call.v))
    return attend(replace(call, k=k, v=v))


@rejected("h4 t65/33 d16 causal", r"out is nan at \[0, 0, 0, 0\]", by="output_form")
def nan_for_rows_without_keys(call: AttentionCall) -> Tensor:
    return torch.softmax(call.scores, -1) @ call.values


@rejected("h4 t65/33 d16 causal", r"query 0 .* sees keys 0..32, expected none", by="mask_readout")
def average_for_rows_without_keys(call: AttentionCall) -> Tensor:
    return torch.softmax(call.scores.clamp_min(-1e30), -1) @ call.values
