"""Outputs cached from an earlier call, and writes to inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected

_KEPT: dict[Any, Any] = {}
"""Cached outputs with their inputs, so that no address is reused."""


def cached(key: tuple[Any, ...], call: AttentionCall) -> Tensor:
    if key not in _KEPT:
        _KEPT[key] = attend(call), call
    out: Tensor = _KEPT[key][0]
    return out


def of_settings(call: AttentionCall) -> tuple[Any, ...]:
    return call.q.shape, call.k.shape, call.mask, call.scale


@rejected(
    "h4 t64 d16 full",
    r"sees keys 0\.\.63 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
def outputs_cached_by_shape(call: AttentionCall) -> Tensor:
    return cached(("shape", *of_settings(call)), call)


@rejected("h4 t64 d16 full", "does not change with visible keys", by="perturbation")
def outputs_cached_by_the_address_of_q(call: AttentionCall) -> Tensor:
    return cached(("q", call.q.data_ptr(), *of_settings(call)), call)


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is wrong", by="rounding_bound", on="one dominant key"
)
def outputs_cached_by_address(call: AttentionCall) -> Tensor:
    addresses = (x.data_ptr() for x in (call.q, call.k, call.v))
    return cached(("addresses", *addresses, *of_settings(call)), call)


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is wrong", by="rounding_bound", on="one dominant key"
)
def outputs_cached_by_address_and_write_counter(call: AttentionCall) -> Tensor:
    places = ((x.data_ptr(), x._version) for x in (call.q, call.k, call.v))
    return cached(("writes", *places, *of_settings(call)), call)


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is wrong", by="rounding_bound", on="one dominant key"
)
def outputs_cached_by_tensor(call: AttentionCall) -> Tensor:
    return cached(("tensors", call.q, call.k, call.v, *of_settings(call)), call)


@rejected(
    "h4 t64 d16 full train",
    r"one dominant key.*(out|dq|dk|dv) is wrong",
    by="rounding_bound",
    on="one dominant key",
)
def outputs_cached_by_address_with_right_gradients(call: AttentionCall) -> Tensor:
    addresses = (x.data_ptr() for x in (call.q, call.k, call.v))
    kept = cached(("training", *addresses, *of_settings(call)), call)
    out = attend(call)
    return out + (kept - out).detach()


@rejected(
    "h4 t64 d16 full",
    r"sees keys 0\.\.63 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
def output_of_the_call_before(call: AttentionCall) -> Tensor:
    key = ("late", *of_settings(call))
    out = attend(call)
    late: Tensor = _KEPT.get(key, out)
    _KEPT[key] = out
    return late


@rejected(
    "h4 t64 d16 full", "^its output was overwritten by a later call$", by="outputs_stay_valid"
)
def one_output_for_all_calls(call: AttentionCall) -> Tensor:
    key = "output", call.q.shape, call.v.shape, call.q.dtype
    return _KEPT.setdefault(key, torch.empty_like(attend(call))).copy_(attend(call))


@rejected(
    "h4 t64 d16 full train",
    "with another call between forward and backward, dq is wrong",
    by="interleaved_calls",
)
def keys_for_the_gradients_kept_in_one_place(call: AttentionCall) -> Tensor:
    out: Tensor = _OnePlace.apply(call.q, call.k, call.v, call.scale)  # type: ignore[no-untyped-call] # torch's
    return out


class _OnePlace(torch.autograd.Function):
    """Full attention whose backward takes q and k of the latest forward."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        _KEPT["latest"] = q, k
        ctx.save_for_backward(v)
        ctx.scale = scale
        return torch.softmax(scale * q @ k.mT, -1) @ v

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (v,), (q, k) = ctx.saved_tensors, _KEPT["latest"]
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() for x in (q, k, v)]
            out = torch.softmax(ctx.scale * leaves[0] @ leaves[1].mT, -1) @ leaves[2]
        return (*torch.autograd.grad(out, leaves, grads[0]), None)


@rejected("h4 t64 d16 full", "^its input q was changed in place", by="inputs_unchanged")
def q_scaled_in_place(call: AttentionCall) -> Tensor:
    return attend(replace(call, q=call.q.mul_(call.scale), scale=1.0))


@rejected("h4 t64 d16 full", "^its input q was written to, and restored", by="inputs_unchanged")
def q_scaled_in_place_and_restored(call: AttentionCall) -> Tensor:
    out = attend(replace(call, q=call.q.mul_(call.scale), scale=1.0))
    call.q.div_(call.scale)
    return out


@rejected(
    "h4 t64 d16 full train", "^its input q was written to, and restored", by="inputs_unchanged"
)
def q_scaled_in_place_and_restored_within_a_gradient(call: AttentionCall) -> Tensor:
    with torch.no_grad():
        call.q.mul_(2.0)
        call.q.div_(2.0)
    return attend(call)


@rejected("h4 t64 d16 full scale0.3", "^its input q was changed in place", by="inputs_unchanged")
@rejected(
    "h4 t64 d16 full scale0.25",
    "another scale.*its input q was changed in place",
    by="inputs_unchanged",
    on="another scale",
)
def q_scaled_in_place_uncounted_and_nearly_restored(call: AttentionCall) -> Tensor:
    out = attend(replace(call, q=call.q.data.mul_(call.scale), scale=1.0))
    call.q.data.div_(call.scale)
    return out


@rejected("h4 t64 d16 full", "^its input q was changed in place", by="inputs_unchanged")
def output_written_over_q(call: AttentionCall) -> Tensor:
    return call.q.copy_(attend(call))


@rejected(
    "h4 t63 d16 causal alibi",
    "^its input bias was (changed in place|written to)",
    by="inputs_unchanged",
)
def bias_scaled_in_place(call: AttentionCall) -> Tensor:
    call.bias.values.mul_(0.5)
    return attend(replace(call, bias=replace(call.bias, values=2 * call.bias.values)))


@rejected(
    "h4 t63 d32 causal alibi", "the bias is wrong|input bias was changed", by="inputs_unchanged"
)
def bias_scaled_in_place_uncounted(call: AttentionCall) -> Tensor:
    out = attend(call)
    call.bias.values.data.mul_(0.5)
    return out


@rejected("h4 t64 d16 full", r"sees keys 0\.\.0, expected 0\.\.63$", by="mask_readout")
def a_view_of_v(call: AttentionCall) -> Tensor:
    return call.v[:]
