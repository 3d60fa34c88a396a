"""Right gradients of q, k and v together, once; wrong for one of them, twice, or with zero rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from suites.agreement.hard_inputs import PLAIN
from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.gradients import Gradients, gradients, with_gradients

ALONE = "alone needs a gradient, "
SECOND = r"in a second backward pass \(retain_graph=True\), d[qkv] is"
ZEROS, ONE_ROW = "a gradient with rows of zeros", "a gradient of one row"
Needed = Callable[[tuple[bool, ...], Gradients], tuple[Tensor | None, ...]]


def with_needed(call: AttentionCall, needed: Needed) -> Tensor:
    """The right output; gradients by which inputs need one."""

    class Choosing(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return attend(replace(call, q=q, k=k, v=v))

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
            return needed(ctx.needs_input_grad, gradients(call, grads[0]))

    out: Tensor = Choosing.apply(call.q, call.k, call.v)  # type: ignore[no-untyped-call] # torch's
    return out


@rejected("h4 t64 d16 full train", "k " + ALONE + "dk is wrong", by="needed_gradients", on=PLAIN)
def gradient_of_k_if_q_needs_one(call: AttentionCall) -> Tensor:
    return with_needed(
        call, lambda needs, g: (g[0], g[1] if needs[0] else None, g[2] if needs[2] else None)
    )


@rejected("h4 t64 d16 causal train", "v " + ALONE + "dv is wrong", by="needed_gradients", on=PLAIN)
def gradient_of_v_if_k_needs_one(call: AttentionCall) -> Tensor:
    return with_needed(
        call, lambda needs, g: (g[0], g[1], g[2] if needs[1] else torch.zeros_like(g[2]))
    )


@rejected("h4 t64 d16 full train", "q " + ALONE + "dq is wrong", by="needed_gradients", on=PLAIN)
def gradients_in_the_order_in_which_they_are_needed(call: AttentionCall) -> Tensor:
    """The first that is needed gets that of v, unless all are needed."""
    same = call.q.shape == call.v.shape
    return with_needed(call, lambda needs, g: g if all(needs) or not same else (g[2], g[2], g[2]))


@rejected("h4 t64 d16 full train", "dq is missing", by="needed_gradients", on=PLAIN)
def no_gradient_unless_v_needs_one(call: AttentionCall) -> Tensor:
    out = attend(call)
    return out if call.v.requires_grad or not call.q.requires_grad else out.detach()


class _Overwriting(torch.autograd.Function):
    """The closed form of full attention; its backward pass writes over the saved weights."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        weights = torch.softmax(scale * q @ k.mT, -1)
        ctx.save_for_backward(q, k, v)
        ctx.weights, ctx.scale = weights, scale
        return weights @ v

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v = ctx.saved_tensors
        weights, grad = ctx.weights, grads[0]
        dv = weights.mT @ grad
        slopes = grad @ v.mT
        slopes = weights.mul_(slopes - (weights * slopes).sum(-1, keepdim=True)).mul_(ctx.scale)
        return slopes @ k, slopes.mT @ q, dv, None


@rejected("h4 t64 d16 full train", SECOND, by="second_backward", on=PLAIN)
def weights_overwritten_in_the_backward_pass(call: AttentionCall) -> Tensor:
    out: Tensor = _Overwriting.apply(call.q, call.k, call.v, call.scale)  # type: ignore[no-untyped-call] # torch's
    return out


@rejected("h4 t64 d16 causal train", SECOND, by="second_backward", on=PLAIN)
def gradients_added_up_over_backward_passes(call: AttentionCall) -> Tensor:
    sums: list[Tensor] = []

    def bent(_: AttentionCall, __: Tensor, made: Gradients) -> Gradients:
        sums[:] = [a + b for a, b in zip(sums or [0 * x for x in made], made, strict=True)]
        return sums[0].clone(), sums[1].clone(), sums[2].clone()

    return with_gradients(call, bent)


@rejected("h4 t64 d16 full train", SECOND, by="second_backward", on=PLAIN)
def saved_keys_released_after_the_first_backward_pass(call: AttentionCall) -> Tensor:
    held = [call.k.detach().clone()]

    def bent(a: AttentionCall, grad: Tensor, _: Gradients) -> Gradients:
        keys = held.pop() if held else torch.zeros_like(a.k)
        return gradients(replace(a, k=keys), grad)

    return with_gradients(call, bent)


@rejected("h4 t64 d16 full train", f"{ZEROS}.*d[qk] is nan", by="output_form", on=ZEROS)
def rows_of_the_gradient_divided_by_their_size(call: AttentionCall) -> Tensor:
    def bent(a: AttentionCall, grad: Tensor, made: Gradients) -> Gradients:
        size = grad.norm(dim=-1, keepdim=True)
        return made[0] * (size / size), made[1], made[2]

    return with_gradients(call, bent)


@rejected("h4 t64 d16 full train", f"{ONE_ROW}.*d[qkv] is wrong", by="rounding_bound", on=ONE_ROW)
def gradients_skipped_where_the_first_row_is_zero(call: AttentionCall) -> Tensor:
    def bent(_: AttentionCall, grad: Tensor, made: Gradients) -> Gradients:
        first = (grad[:, :, :1] != 0).any().to(grad.dtype)
        middle = (grad[:, :, 1:2] != 0).any().to(grad.dtype)
        factor = torch.maximum(first, middle)
        return factor * made[0], factor * made[1], factor * made[2]

    return with_gradients(call, bent)


@rejected("h4 t64 d16 full train", f"{ZEROS}.*dq is wrong", by="rounding_bound", on=ZEROS)
def rows_of_zeros_get_the_gradient_of_the_row_before(call: AttentionCall) -> Tensor:
    def bent(_: AttentionCall, grad: Tensor, made: Gradients) -> Gradients:
        empty = (grad == 0).all(-1, keepdim=True)
        return torch.where(empty, made[0].roll(1, 2), made[0]), made[1], made[2]

    return with_gradients(call, bent)
