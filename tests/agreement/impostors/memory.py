"""Right for contiguous inputs; wrong for views of larger tensors."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from suites.agreement.hard_inputs import PLAIN
from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.gradients import gradients, with_gradients

STRIDES = "with inputs of different strides, "
VIEWS = "with (slices of one projection|inputs of different strides), "
SLICES = "with slices of one projection, "
EXPANDED = "over the batch "


def strides_of(x: Tensor) -> tuple[int, ...]:
    """Strides of a contiguous tensor of this shape."""
    return torch.empty(x.shape, device="meta").stride()


def elements(x: Tensor) -> int:
    """Elements of the storage."""
    return x.untyped_storage().nbytes() // x.itemsize


@rejected("h4 t64 d16 full", SLICES + "out is wrong", by="strided_inputs", on=PLAIN)
@rejected("h4 t1/65 d16 causal", SLICES + "out is wrong", by="strided_inputs", on=PLAIN)
def storage_offset_ignored(call: AttentionCall) -> Tensor:
    q, k, v = (torch.as_strided(x, x.shape, x.stride(), 0) for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v))


@rejected("h4 t64 d16 causal", STRIDES + "out is wrong", by="strided_inputs", on=PLAIN)
def values_read_with_the_strides_of_keys(call: AttentionCall) -> Tensor:
    v = torch.as_strided(call.v, call.v.shape, call.k.stride(), call.v.storage_offset())
    return attend(replace(call, v=v))


@rejected("h4 t64 d16 full", VIEWS + "out is wrong", by="strided_inputs", on=PLAIN)
@rejected("h4/2 t64 d16 full train", VIEWS + "out is wrong", by="strided_inputs", on=PLAIN)
def only_values_read_as_if_contiguous(call: AttentionCall) -> Tensor:
    v = torch.as_strided(call.v, call.v.shape, strides_of(call.v), call.v.storage_offset())
    return attend(replace(call, v=v))


@rejected("h4 t64 d16 full train", STRIDES + "d[qkv] is wrong", by="strided_inputs", on=PLAIN)
def gradient_of_the_output_read_with_the_strides_of_q(call: AttentionCall) -> Tensor:
    def bent(a: AttentionCall, grad: Tensor, _: object) -> tuple[Tensor, Tensor, Tensor]:
        strides = a.q.stride() if grad.stride()[0] else grad.stride()
        grad = torch.as_strided(grad, grad.shape, strides, grad.storage_offset())
        return gradients(a, grad)

    return with_gradients(call, bent)


@rejected("h4 t64 d16 full train", STRIDES + "d[qkv] is wrong", by="strided_inputs", on=PLAIN)
def gradient_of_the_output_read_as_if_contiguous(call: AttentionCall) -> Tensor:
    def bent(a: AttentionCall, grad: Tensor, _: object) -> tuple[Tensor, Tensor, Tensor]:
        strides = strides_of(grad) if grad.stride()[0] else grad.stride()
        grad = torch.as_strided(grad, grad.shape, strides, grad.storage_offset())
        return gradients(a, grad)

    return with_gradients(call, bent)


@rejected("h4 t33/65 d16 full", VIEWS + "(out is wrong|it wrote)", by="strided_inputs", on=PLAIN)
def zeros_behind_the_last_key(call: AttentionCall) -> Tensor:
    """It pads the keys in place, where memory follows them."""
    k = call.k.data  # whose writes are not counted
    steps = zip(k.shape, k.stride(), strict=True)
    end = k.storage_offset() + 1 + sum((n - 1) * step for n, step in steps)
    torch.as_strided(k, (min(elements(k) - end, 8),), (1,), end).zero_()
    return attend(call)


@rejected("h4 t64 d16 full", "it wrote to memory around its input q", by="strided_inputs", on=PLAIN)
def scratch_memory_before_the_first_query(call: AttentionCall) -> Tensor:
    q = call.q.data
    torch.as_strided(q, (q.storage_offset(),), (1,), 0).fill_(0.5)
    return attend(call)


@rejected("h4 t64 d16 full", EXPANDED + ".*out is wrong", by="expanded_inputs", on=PLAIN)
def one_value_head_where_keys_are_expanded_over_heads(call: AttentionCall) -> Tensor:
    v = call.v[:, :1].expand_as(call.v) if call.k.stride()[1] == 0 else call.v
    return attend(replace(call, v=v))


@rejected("h4 t64 d16 full", EXPANDED + ".*out is wrong", by="expanded_inputs", on=PLAIN)
def one_batch_row_where_values_are_expanded_over_the_batch(call: AttentionCall) -> Tensor:
    out = attend(call)
    return out[:1].expand_as(out).clone() if call.v.stride()[0] == 0 else out


@rejected("h4 t64 d16 full train", EXPANDED + ".*dk is wrong", by="expanded_inputs", on=PLAIN)
def gradient_of_expanded_keys_summed_over_heads(call: AttentionCall) -> Tensor:
    def bent(a: AttentionCall, _: Tensor, made: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        dq, dk, dv = made
        if a.k.stride()[1] == 0:
            dk = dk.sum(1, keepdim=True).expand_as(dk).clone()
        return dq, dk, dv

    return with_gradients(call, bent)  # type: ignore[arg-type] # three tensors
