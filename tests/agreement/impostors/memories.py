"""What is remembered from an earlier call, and what is written where nothing may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.agreement.attention_call import Asked, attend
from tests.agreement.impostors import rejected

_KEPT: dict[Any, Any] = {}
"""Answers, with the inputs they are for: memory that is held is not handed out again."""


def remembered(key: tuple[Any, ...], asked: Asked) -> Tensor:
    if key not in _KEPT:
        _KEPT[key] = attend(asked), asked
    out: Tensor = _KEPT[key][0]
    return out


def of_settings(asked: Asked) -> tuple[Any, ...]:
    return asked.q.shape, asked.k.shape, asked.mask, asked.scale


@rejected(
    "h4 t64 d16 full",
    r"sees keys 0\.\.63 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
def answers_remembered_by_shape(asked: Asked) -> Tensor:
    return remembered(("shape", *of_settings(asked)), asked)


@rejected("h4 t64 d16 full", "does not change with visible keys", by="perturbation")
def answers_remembered_by_the_address_of_q(asked: Asked) -> Tensor:
    return remembered(("q", asked.q.data_ptr(), *of_settings(asked)), asked)


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is wrong", by="rounding_bound", on="one dominant key"
)
def answers_remembered_by_address(asked: Asked) -> Tensor:
    addresses = (x.data_ptr() for x in (asked.q, asked.k, asked.v))
    return remembered(("addresses", *addresses, *of_settings(asked)), asked)


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is wrong", by="rounding_bound", on="one dominant key"
)
def answers_remembered_by_address_and_writes(asked: Asked) -> Tensor:
    places = ((x.data_ptr(), x._version) for x in (asked.q, asked.k, asked.v))
    return remembered(("writes", *places, *of_settings(asked)), asked)


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is wrong", by="rounding_bound", on="one dominant key"
)
def answers_remembered_by_tensor(asked: Asked) -> Tensor:
    return remembered(("tensors", asked.q, asked.k, asked.v, *of_settings(asked)), asked)


@rejected(
    "h4 t64 d16 full train",
    r"one dominant key.*(out|dq|dk|dv) is wrong",
    by="rounding_bound",
    on="one dominant key",
)
def answers_remembered_by_address_but_not_their_gradients(asked: Asked) -> Tensor:
    addresses = (x.data_ptr() for x in (asked.q, asked.k, asked.v))
    kept = remembered(("training", *addresses, *of_settings(asked)), asked)
    out = attend(asked)
    return out + (kept - out).detach()


@rejected(
    "h4 t64 d16 full",
    r"sees keys 0\.\.63 as expected, but with unequal weights or wrong values$",
    by="mask_readout",
)
def answers_one_call_late(asked: Asked) -> Tensor:
    key = ("late", *of_settings(asked))
    out = attend(asked)
    late: Tensor = _KEPT.get(key, out)
    _KEPT[key] = out
    return late


@rejected(
    "h4 t64 d16 full", "^its output was overwritten by a later call$", by="outputs_stay_valid"
)
def one_output_for_all_calls(asked: Asked) -> Tensor:
    key = "output", asked.q.shape, asked.v.shape, asked.q.dtype
    return _KEPT.setdefault(key, torch.empty_like(attend(asked))).copy_(attend(asked))


@rejected(
    "h4 t64 d16 full train",
    "with another call between forward and backward, dq is wrong",
    by="interleaved_calls",
)
def keys_for_the_gradients_kept_in_one_place(asked: Asked) -> Tensor:
    out: Tensor = _OnePlace.apply(asked.q, asked.k, asked.v, asked.scale)  # type: ignore[no-untyped-call] # torch's
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
def q_scaled_in_place(asked: Asked) -> Tensor:
    return attend(replace(asked, q=asked.q.mul_(asked.scale), scale=1.0))


@rejected("h4 t64 d16 full", "^its input q was written to, and restored", by="inputs_unchanged")
def q_scaled_in_place_and_restored(asked: Asked) -> Tensor:
    out = attend(replace(asked, q=asked.q.mul_(asked.scale), scale=1.0))
    asked.q.div_(asked.scale)
    return out


@rejected(
    "h4 t64 d16 full train", "^its input q was written to, and restored", by="inputs_unchanged"
)
def q_scaled_in_place_and_restored_within_a_gradient(asked: Asked) -> Tensor:
    with torch.no_grad():
        asked.q.mul_(2.0)
        asked.q.div_(2.0)
    return attend(asked)


@rejected("h4 t64 d16 full scale0.3", "^its input q was changed in place", by="inputs_unchanged")
@rejected(
    "h4 t64 d16 full",
    "another scale.*its input q was changed in place",
    by="inputs_unchanged",
    on="another scale",
)
def q_scaled_in_place_uncounted_and_nearly_restored(asked: Asked) -> Tensor:
    out = attend(replace(asked, q=asked.q.data.mul_(asked.scale), scale=1.0))
    asked.q.data.div_(asked.scale)
    return out


@rejected("h4 t64 d16 full", "^its input q was changed in place", by="inputs_unchanged")
def output_written_over_q(asked: Asked) -> Tensor:
    return asked.q.copy_(attend(asked))


@rejected(
    "h4 t63 d16 causal alibi",
    "^its input bias was (changed in place|written to)",
    by="inputs_unchanged",
)
def bias_scaled_in_place(asked: Asked) -> Tensor:
    asked.bias.values.mul_(0.5)
    return attend(replace(asked, bias=replace(asked.bias, values=2 * asked.bias.values)))


@rejected(
    "h4 t63 d32 causal alibi", "the bias is wrong|input bias was changed", by="inputs_unchanged"
)
def bias_scaled_in_place_uncounted(asked: Asked) -> Tensor:
    out = attend(asked)
    asked.bias.values.data.mul_(0.5)
    return out


@rejected("h4 t64 d16 full", r"sees keys 0\.\.0, expected 0\.\.63$", by="mask_readout")
def a_view_of_v(asked: Asked) -> Tensor:
    return asked.v[:]
