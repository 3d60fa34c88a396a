"""Wrong gradients are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.slips.tracing import Traced, cause_of_exception, traced

Gradients = tuple[Tensor, ...]


def with_backward(name: str, change: Callable[[AttentionCall, Gradients], Any]) -> Form:
    """A function whose gradients are a function of the right ones."""

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, call: AttentionCall) -> Tensor:
            ctx.save_for_backward(q, k, v)
            ctx.call = call
            return attend(call)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            with torch.enable_grad():
                leaves = [x.detach().requires_grad_() for x in ctx.saved_tensors]
                call = replace(ctx.call, **dict(zip("qkv", leaves, strict=True)))
                found = torch.autograd.grad(attend(call), leaves, grad)
            return (*change(call, found), None)

    def function(call: AttentionCall) -> Tensor:
        made: Tensor = Attention.apply(call.q, call.k, call.v, call)  # type: ignore[no-untyped-call] # torch leaves it untyped
        return made

    function.__name__ = name
    return function


def v_detached(call: AttentionCall) -> Tensor:
    return attend(replace(call, v=call.v.detach()))


def weights_detached(call: AttentionCall) -> Tensor:
    weights = torch.softmax(call.scores, -1).nan_to_num(0.0).detach()
    return weights @ call.values


def constant_sum(call: AttentionCall) -> Tensor:
    """The sum of the softmax is detached, so that dS = P * dP."""
    weights = torch.exp(call.scores - call.scores.amax(-1, keepdim=True).clamp_min(-1e30).detach())
    return weights / weights.sum(-1, keepdim=True).clamp_min(1.0).detach() @ call.values


def first_head_of_each_group(call: AttentionCall) -> Tensor:
    """The gradients of other query heads do not reach k and v."""
    group = call.q.shape[1] // call.k.shape[1]
    first = (torch.arange(call.q.shape[1]) % group == 0)[:, None, None]
    k, v = (torch.where(first, x, x.detach()) for x in (call.keys, call.values))
    return attend(replace(call, k=k, v=v))


TRAIN = "h4 t64 d16 causal train"
CASES = (
    traced(with_backward("dk_none", lambda call, d: (d[0], None, d[2])), TRAIN, "gradient_missing",
           "dk is missing: zero or None everywhere, expected an RMS of",
           "return dk from backward()"),
    traced(v_detached, TRAIN, "gradient_missing", "dv is missing", "remove .detach()"),
    traced(weights_detached, TRAIN, "gradient_missing", "dq and dk are missing", "from q, k to"),
    traced(with_backward("dk_dv", lambda call, d: (d[0], d[2], d[1])), TRAIN, "gradients_swapped",
           "dk and dv are swapped", "dq, dk, dv"),
    traced(with_backward("dq_dk", lambda call, d: (d[1], d[0], d[2])), "h4 t64 d16 full train",
           "gradients_swapped", "dq and dk are swapped: dq holds dk", "order of the arguments"),
    traced(with_backward("unscaled", lambda call, d: (d[0] / call.scale, d[1] / call.scale, d[2])),
           TRAIN, "gradient_scale", "dq and dk are 4 times the right gradient, expected 1 times; "
           "the scale is missing", "dq = scale * (dS @ k)"),
    traced(with_backward("negative", lambda call, d: (d[0], d[1], -d[2])), TRAIN, "gradient_size",
           "dv is -1 times the right gradient, expected 1 times", "dv"),
    traced(first_head_of_each_group, "h4/2 t64 d16 full train", "gradient_of_one_head",
           "dk and dv are of the first query head of each group, expected the sum over its 2 "
           "query heads", ".sum(2)"),
    traced(constant_sum, TRAIN, "gradient_without_row_sum", "dS = P * dP", "(dO * out).sum(-1"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrong_gradient_is_named(case: Traced) -> None:
    case.holds()


def test_an_output_without_a_gradient_is_named() -> None:
    def detached(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1).detach() @ v.detach()

    found = cause_of_exception(detached, "h4 t64 d16 full train")
    assert found is not None
    assert (found.slip, found.sentence[:15]) == ("gradient_missing", "out is detached")
    assert "Limits(backward=False)" in found.cure
