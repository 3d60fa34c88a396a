"""Right forward, wrong backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from impls.interface import FULL
from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected

Gradients = tuple[Tensor, Tensor, Tensor]
Bent = Callable[[AttentionCall, Tensor, Gradients], Gradients]
"""Wrong gradients of q, k and v, from the call, the output's gradient and the right gradients."""


def with_gradients(call: AttentionCall, bent: Bent) -> Tensor:
    """The right output with wrong gradients."""

    class Bending(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            ctx.save_for_backward(q, k, v)
            return attend(replace(call, q=q, k=k, v=v))

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Gradients:
            return bent(call, grads[0], gradients(call, grads[0]))

    out: Tensor = Bending.apply(call.q, call.k, call.v)  # type: ignore[no-untyped-call] # torch's
    return out


def gradients(call: AttentionCall, grad: Tensor) -> Gradients:
    leaves = [x.detach().requires_grad_() for x in (call.q, call.k, call.v)]
    with torch.enable_grad():
        out = attend(replace(call, q=leaves[0], k=leaves[1], v=leaves[2]))
    dq, dk, dv = torch.autograd.grad(out, leaves, grad)
    return dq, dk, dv


@rejected("h4 t64 d16 full train", "^dk is wrong: RMS error", by="rounding_bound")
def gradient_of_k_zero(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda _, __, g: (g[0], torch.zeros_like(g[1]), g[2]))


@rejected("b2 h4 t64 d16 padding:0.5 train", r"^dk is wrong.* expected 0$", by="rounding_bound")
@rejected(
    "b2 h4 t64 d16 padding:0.5 train bf16", r"^dk is wrong.* expected 0$", by="rounding_bound"
)
def gradients_of_hidden_keys(call: AttentionCall) -> Tensor:
    """A thousandth of the tensor's size in columns that are zero; rounding is below 1e-4 of it."""

    def bent(_: AttentionCall, __: Tensor, g: Gradients) -> Gradients:
        size = g[1].float().square().mean().sqrt().to(g[1].dtype)
        return g[0], g[1] + 1e-3 * size * (g[1] == 0), g[2]

    return with_gradients(call, bent)


@rejected("h4 t64 d16 full train", "^dv is wrong: RMS error", by="rounding_bound")
def gradient_of_v_doubled(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda _, __, g: (g[0], g[1], 2 * g[2]))


@rejected("h4 t64 d16 full train", "^dq is wrong: RMS error", by="rounding_bound")
def gradient_of_q_off_by_a_thousandth(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda _, __, g: (1.001 * g[0], g[1], g[2]))


@rejected(
    "h4 t129 d64 causal train bf16",
    "dq is wrong: the whole tensor is .* too large",
    by="scale_and_gain",
    on="many outputs",
)
def gradient_of_q_a_hundredth_too_large_in_bfloat16(call: AttentionCall) -> Tensor:
    factor = 1.01 if call.q.dtype == torch.bfloat16 else 1.0
    return with_gradients(call, lambda _, __, g: (factor * g[0], g[1], g[2]))


@rejected(
    "h4 t129 d64 causal train bf16",
    "d[kv] is wrong: the whole tensor is .* too small",
    by="scale_and_gain",
    on="many outputs",
)
@rejected(
    "h4 t129 d64 causal alibi train bf16",
    "d[kv] is wrong: the whole tensor is .* too small",
    by="scale_and_gain",
    on="many outputs",
)
def gradients_of_k_and_v_a_little_too_small_in_bfloat16(call: AttentionCall) -> Tensor:
    factor = 0.993 if call.q.dtype == torch.bfloat16 else 1.0
    return with_gradients(call, lambda _, __, g: (g[0], factor * g[1], factor * g[2]))


@rejected("h4 t64 d16 full train", "^dq is wrong: RMS error", by="rounding_bound")
def gradients_of_q_and_k_swapped(call: AttentionCall) -> Tensor:
    same = call.q.shape == call.k.shape
    return with_gradients(call, lambda _, __, g: (g[1], g[0], g[2]) if same else g)


@rejected("h4 t64 d16 full train", "^dq is wrong: RMS error", by="rounding_bound")
def gradients_for_an_output_gradient_of_ones(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda a, grad, _: gradients(a, torch.ones_like(grad)))


@rejected("h4 t64 d16 full train", "^dq is wrong: RMS error", by="rounding_bound")
def gradient_of_q_without_the_scale(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda a, _, g: (g[0] / a.scale, g[1], g[2]))


@rejected("h4 t64 d16 causal train", "^dq is wrong: RMS error", by="rounding_bound")
def gradients_without_the_mask(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda a, grad, _: gradients(replace(a, mask=FULL), grad))


@rejected("h4/2 t64 d16 full train", "^dk is wrong: RMS error", by="rounding_bound")
@rejected("h6/2 t64 d16 full train", "^dk is wrong: RMS error", by="rounding_bound")
def gradient_of_keys_from_one_head_of_a_group(call: AttentionCall) -> Tensor:
    group = call.q.shape[1] // call.k.shape[1]

    def first(a: AttentionCall, grad: Tensor, right: Gradients) -> Gradients:
        kept = torch.arange(grad.shape[1])[:, None, None] % group == 0
        _, dk, dv = gradients(a, grad * kept)
        return right[0], dk, dv

    return with_gradients(call, first)


@rejected("h4 t64 d16 full train", "^dq is wrong: RMS error", by="rounding_bound")
def gradients_that_take_the_sum_of_a_softmax_for_constant(call: AttentionCall) -> Tensor:
    weights = torch.softmax(call.scores, -1).nan_to_num(0.0)
    free = torch.exp(call.scores - call.scores.detach()).nan_to_num(0.0)
    return (weights.detach() * free) @ call.values


@rejected("h4 t64 d16 full train", "in float32|dk is wrong: RMS error", by="rounding_bound")
def gradient_of_k_rounded_to_bfloat16(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda _, __, g: (g[0], g[1].bfloat16().to(g[1].dtype), g[2]))


@rejected("h4 t64 d16 full train", "^dk is inf at|^dk is nan at", by="output_form")
def gradient_of_k_infinite(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda _, __, g: (g[0], g[1] / 0, g[2]))


@rejected("h4 t64 d16 full train", "RuntimeError: .*does not require grad")
def no_gradients_at_all(call: AttentionCall) -> Tensor:
    return attend(call).detach()


@rejected(
    "h4 t64 d16 full train",
    "one number, expanded: .*, dq is wrong",
    by="rounding_bound",
    on="a gradient that is one number, expanded",
)
def gradients_of_zero_where_that_of_the_output_is_expanded(call: AttentionCall) -> Tensor:
    """The gradient's memory is read as if it were contiguous."""

    def bent(_: AttentionCall, grad: Tensor, made: Gradients) -> Gradients:
        q, k, v = ((0 if 0 in grad.stride() else 1) * x for x in made)
        return q, k, v

    return with_gradients(call, bent)


def half_alone(call: AttentionCall, bent: Bent) -> Tensor:
    return with_gradients(call, bent) if call.q.element_size() == 2 else attend(call)


@rejected(
    "h4 t65 d64 full train bf16",
    "^dq is wrong: .* times that of the naive formula",
    by="half_precision",
)
@rejected("h4 t64 d64 full train fp16", "^dq is wrong: RMS error", by="rounding_bound")
def gradients_of_q_and_k_zero_in_half_precision(call: AttentionCall) -> Tensor:
    return half_alone(call, lambda _, __, g: (0 * g[0], 0 * g[1], g[2]))


@rejected("h2 t64 d64 full train bf16", "^dv is wrong: RMS error", by="rounding_bound")
def gradient_of_v_doubled_in_half_precision(call: AttentionCall) -> Tensor:
    return half_alone(call, lambda _, __, g: (g[0], g[1], 2 * g[2]))


@rejected(
    "h1 t500 d64 full train bf16",
    "^dv is wrong: .* times that of the naive formula",
    by="half_precision",
)
def gradient_of_v_doubled_in_long_rows_of_half_precision(call: AttentionCall) -> Tensor:
    short = call.k.shape[2] <= 400
    return attend(call) if short else half_alone(call, lambda _, __, g: (g[0], g[1], 2 * g[2]))


@rejected(
    "h4 t64 d64 full train fp16",
    "^dk is wrong: .* times that of the naive formula",
    by="half_precision",
)
def gradient_of_k_off_by_a_hundredth_in_half_precision(call: AttentionCall) -> Tensor:
    return half_alone(call, lambda _, __, g: (g[0], 1.01 * g[1], g[2]))
