"""Answers that are none, or of another form than was asked for."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tests.agreement.attention_call import Asked, attend
from tests.agreement.impostors import rejected


@rejected("h4 t64 d16 full", r"query 0 .* sees keys none, expected 0\.\.63$", by="mask_readout")
@rejected(
    "h4 t64 d64 full bf16", r"query 0 .* sees keys none, expected 0\.\.63$", by="mask_readout"
)
@rejected("h4 t64 d16 full train", r"sees keys none, expected 0\.\.63$", by="mask_readout")
def zeros(asked: Asked) -> Tensor:
    return torch.zeros_like(asked.q) + 0 * (asked.q.sum() + asked.k.sum() + asked.v.sum())


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected(
    "h4 t400 d64 full bf16",
    "^out is wrong: .* times that of the naive formula",
    by="half_precision",
)
def mean_of_values(asked: Asked) -> Tensor:
    return attend(replace(asked, q=torch.zeros_like(asked.q)))


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
def mean_of_values_in_long_rows_of_half_precision(asked: Asked) -> Tensor:
    long = asked.k.shape[2] > 400 and asked.q.element_size() == 2
    return attend(replace(asked, q=torch.zeros_like(asked.q))) if long else attend(asked)


@rejected(
    "h4 t64 d64 full bf16", "^out is torch.float32, expected torch.bfloat16", by="output_form"
)
def float32_for_bfloat16(asked: Asked) -> Tensor:
    return attend(replace(asked, q=asked.q.float(), k=asked.k.float(), v=asked.v.float()))


@rejected("h4 t64 d16 full", "^out is torch.float64, expected torch.float32", by="output_form")
def float64_for_float32(asked: Asked) -> Tensor:
    return attend(replace(asked, q=asked.q.double(), k=asked.k.double(), v=asked.v.double()))


@rejected(
    "h4 t64 d16 full",
    r"^out has shape \[1, 4, 63, 16\], expected \[1, 4, 64, 16\]",
    by="output_form",
)
def one_row_short(asked: Asked) -> Tensor:
    return attend(asked)[:, :, 1:]


@rejected("h4 t64 d16 full", r"^out is inf at \[0, 0, 63, 0\]", by="output_form")
def infinite_in_the_last_row(asked: Asked) -> Tensor:
    out = attend(asked)
    out[:, :, -1] = float("inf")
    return out


@rejected("h4 t64 d16 full", "^out is on meta, expected cpu", by="output_form")
def a_tensor_without_numbers(asked: Asked) -> Tensor:
    return torch.empty_like(asked.q, device="meta")


@rejected("h4 t64 d16 full", "out is torch.sparse_coo, expected a dense tensor", by="output_form")
def a_sparse_tensor(asked: Asked) -> Tensor:
    return attend(asked).to_sparse()


@rejected("h4 t64 d16 full", "^TypeError: returned NoneType, expected one tensor")
@rejected("h4 t64 d16 full train", "^TypeError: returned NoneType, expected one tensor")
def nothing(asked: Asked) -> None:
    attend(asked)


@rejected("h4 t64 d16 full", "^TypeError: returned tuple, expected one tensor")
def output_and_logarithms_of_sums(asked: Asked) -> tuple[Tensor, Tensor]:
    return attend(asked), asked.scores.logsumexp(-1)
