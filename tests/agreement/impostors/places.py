"""Right numbers in the wrong place: heads, batch rows, positions, columns, memory."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected


@rejected(
    "h4/2 t64 d16 full",
    r"head 1.* sees keys 0\.\.63 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
@rejected("h6/2 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def key_heads_interleaved(call: AttentionCall) -> Tensor:
    group = call.q.shape[1] // call.k.shape[1]
    return attend(replace(call, k=call.k.repeat(1, group, 1, 1), v=call.v.repeat(1, group, 1, 1)))


@rejected(
    "h4 t64 d16 full",
    r"head 1.* sees keys 0\.\.63 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
def keys_of_the_first_head_for_all(call: AttentionCall) -> Tensor:
    k, v = (x[:, :1].expand_as(x) for x in (call.k, call.v))
    return attend(replace(call, k=k, v=v))


@rejected("b2 h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected("h4 t64 d16 full", "hard input.*out is wrong", by="rounding_bound", on="lengths 1")
def keys_of_the_first_batch_row_for_all(call: AttentionCall) -> Tensor:
    k, v = (x[:1].expand_as(x) for x in (call.k, call.v))
    return attend(replace(call, k=k, v=v))


@rejected(
    "h8 t8 d16 full",
    r"sees keys 0\.\.7 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
@rejected(
    "h4 t64 d16 full",
    r"^out has shape \[1, 64, 4, 16\], expected \[1, 4, 64, 16\]",
    by="output_form",
)
def heads_and_positions_swapped(call: AttentionCall) -> Tensor:
    return attend(call).transpose(1, 2)


@rejected("h8 t8 d16 full", r"query 0 .* sees keys 0\.\.0, expected 0\.\.7$", by="mask_readout")
def heads_and_positions_swapped_inside(call: AttentionCall) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v)).transpose(1, 2)


@rejected(
    "h4 t64 d16 full", r"^out has shape \[1, 64, 64\], expected \[1, 4, 64, 16\]", by="output_form"
)
def heads_merged(call: AttentionCall) -> Tensor:
    return attend(call).transpose(1, 2).flatten(2)


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def rows_of_the_neighbour(call: AttentionCall) -> Tensor:
    return attend(call).roll(1, dims=2)


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def values_of_the_neighbour(call: AttentionCall) -> Tensor:
    return attend(replace(call, v=call.v.roll(1, dims=2)))


@rejected(
    "h4 t64 d16 full",
    r"sees keys 0\.\.63 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
def last_column_of_values_twice(call: AttentionCall) -> Tensor:
    return attend(replace(call, v=torch.cat([call.v[..., 1:], call.v[..., -1:]], -1)))


@rejected(
    "h4 t64 d16 full", r"^out is wrong: RMS error.* at \[0, \d, \d+, 3\]", by="rounding_bound"
)
def one_column_of_values_a_thousandth_too_large(call: AttentionCall) -> Tensor:
    factors = torch.where(torch.arange(call.v.shape[3]) == 3, 1.001, 1.0)
    return attend(replace(call, v=call.v * factors))


@rejected("h4 t64 d16 full bthd", r"sees keys 0\.\.15, expected 0\.\.63$", by="mask_readout")
@rejected(
    "h4 t64 d16 full",
    "with slices of one projection, out is wrong",
    by="strided_inputs",
    on="standard-normal numbers",
)
def memory_read_as_if_contiguous(call: AttentionCall) -> Tensor:
    def flat(x: Tensor) -> Tensor:
        return torch.as_strided(x, x.shape, torch.empty(x.shape, device="meta").stride())

    return attend(replace(call, q=flat(call.q), k=flat(call.k), v=flat(call.v)))


@rejected("h4 t64 d16 full", r"lengths 1: .*out is nan at", by="output_form", on="lengths 1")
def rows_never_written(call: AttentionCall) -> Tensor:
    out = torch.empty_like(call.q)
    whole = call.q.shape[2] // 32 * 32
    out[:, :, :whole] = attend(call)[:, :, :whole]
    return out


@rejected("h4 t64 d16 full", r"lengths 1: .*out is nan at", by="output_form", on="lengths 1")
def padding_of_keys_never_written(call: AttentionCall) -> Tensor:
    """Weights of zero times NaN in the values are NaN."""
    length = call.k.shape[2]
    k, v = (x.new_empty(*x.shape[:2], -(-length // 32) * 32, x.shape[3]) for x in (call.k, call.v))
    k[:, :, :length], v[:, :, :length] = call.k, call.v
    weights = torch.softmax(call.scores, -1).nan_to_num(0.0)
    weights = torch.nn.functional.pad(weights, (0, v.shape[2] - length))
    return weights @ v.repeat_interleave(call.q.shape[1] // call.k.shape[1], 1)
