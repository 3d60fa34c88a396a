"""Outputs of the wrong form."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected


@rejected("h4 t64 d16 full", r"query 0 .* sees keys none, expected 0\.\.63$", by="mask_readout")
@rejected(
    "h4 t64 d64 full bf16", r"query 0 .* sees keys none, expected 0\.\.63$", by="mask_readout"
)
@rejected("h4 t64 d16 full train", r"sees keys none, expected 0\.\.63$", by="mask_readout")
def zeros(call: AttentionCall) -> Tensor:
    return torch.zeros_like(call.q) + 0 * (call.q.sum() + call.k.sum() + call.v.sum())


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected(
    "h4 t400 d64 full bf16",
    "^out is wrong: .* times that of the naive formula",
    by="half_precision",
)
def mean_of_values(call: AttentionCall) -> Tensor:
    return attend(replace(call, q=torch.zeros_like(call.q)))


@rejected(
    "h4 t500 d64 full bf16",
    "^out is wrong: .* times that of the naive formula",
    by="half_precision",
)
@rejected(
    "h2 t500 d64 full bf16",
    "^out is wrong: .* times that of the naive formula",
    by="half_precision",
)
def mean_of_values_in_long_rows_of_half_precision(call: AttentionCall) -> Tensor:
    long = call.k.shape[2] > 400 and call.q.element_size() == 2
    return attend(replace(call, q=torch.zeros_like(call.q))) if long else attend(call)


@rejected(
    "h4 t64 d64 full bf16", "^out is torch.float32, expected torch.bfloat16", by="output_form"
)
def float32_for_bfloat16(call: AttentionCall) -> Tensor:
    return attend(replace(call, q=call.q.float(), k=call.k.float(), v=call.v.float()))


@rejected("h4 t64 d16 full", "^out is torch.float64, expected torch.float32", by="output_form")
def float64_for_float32(call: AttentionCall) -> Tensor:
    return attend(replace(call, q=call.q.double(), k=call.k.double(), v=call.v.double()))


@rejected(
    "h4 t64 d16 full",
    r"^out has shape \[1, 4, 63, 16\], expected \[1, 4, 64, 16\]",
    by="output_form",
)
def one_row_short(call: AttentionCall) -> Tensor:
    return attend(call)[:, :, 1:]


@rejected("h4 t64 d16 full", r"^out is inf at \[0, 0, 63, 0\]", by="output_form")
def infinite_in_the_last_row(call: AttentionCall) -> Tensor:
    out = attend(call)
    out[:, :, -1] = float("inf")
    return out


@rejected("h4 t64 d16 full", "^out is on meta, expected cpu", by="output_form")
def a_tensor_without_numbers(call: AttentionCall) -> Tensor:
    return torch.empty_like(call.q, device="meta")


@rejected("h4 t64 d16 full", "out is torch.sparse_coo, expected a dense tensor", by="output_form")
def a_sparse_tensor(call: AttentionCall) -> Tensor:
    return attend(call).to_sparse()


@rejected("h4 t64 d16 full", "^TypeError: returned NoneType, expected one tensor")
@rejected("h4 t64 d16 full train", "^TypeError: returned NoneType, expected one tensor")
def nothing(call: AttentionCall) -> None:
    attend(call)


@rejected("h4 t64 d16 full", "^TypeError: returned tuple, expected one tensor")
def output_and_logarithms_of_sums(call: AttentionCall) -> tuple[Tensor, Tensor]:
    return attend(call), call.scores.logsumexp(-1)
