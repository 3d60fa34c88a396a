"""Right implementations with views, caches and graphs of unusual form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.honest import Written, wide

_MASKS: dict[Any, Tensor] = {}


def views_of_one_fused_copy(call: AttentionCall) -> Tensor:
    """Keys and values are copied side by side into one tensor, and read as slices of it."""
    fused = torch.cat([call.k, call.v], -1)
    k, v = torch.split(fused, [call.k.shape[3], call.v.shape[3]], -1)
    return attend(replace(call, k=k, v=v))


def keys_expanded_over_their_group(call: AttentionCall) -> Tensor:
    """Key heads are expanded with stride 0, not repeated."""
    group = call.q.shape[1] // call.k.shape[1]
    q = torch.unflatten(call.q, 1, (-1, group))
    k, v = (x[:, :, None].expand(-1, -1, group, -1, -1) for x in (call.k, call.v))
    scores = (call.scale * (q @ k.mT)).masked_fill(~call.seen[:, :, None], -1e4)
    weights = torch.softmax(scores, -1).masked_fill(~call.seen[:, :, None], 0)
    return (weights @ v).flatten(1, 2)


def length_before_heads_inside(call: AttentionCall) -> Tensor:
    """It computes on [B, T, H, D] copies."""
    q, k, v = (x.transpose(1, 2).contiguous() for x in (call.q, call.keys, call.values))
    scores = call.scale * torch.einsum("bqhd,bkhd->bhqk", q, k)
    weights = torch.softmax(scores.masked_fill(~call.seen, -1e4), -1).masked_fill(~call.seen, 0)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v).transpose(1, 2)


def dense_masks_in_a_cache(call: AttentionCall) -> Tensor:
    """The mask's value is the key, and lengths and device are part of it."""
    key = (call.mask, call.q.shape[0], call.q.shape[2], call.k.shape[2], call.q.device)
    if key not in _MASKS:
        with torch.inference_mode(mode=False):
            _MASKS[key] = call.seen
    scores = (call.scale * (call.q @ call.keys.mT)).masked_fill(~_MASKS[key], -1e4)
    return torch.softmax(scores, -1).masked_fill(~_MASKS[key], 0) @ call.values


def own_temporaries_overwritten(call: AttentionCall) -> Tensor:
    """Scores become weights in place, where no gradient is needed."""
    if torch.is_grad_enabled():
        return attend(call)
    scores = call.q.to(wide(call)) @ call.keys.to(wide(call)).mT
    scores.mul_(call.scale).masked_fill_(~call.seen, -1e30)
    scores.sub_(scores.amax(-1, keepdim=True)).exp_().masked_fill_(~call.seen, 0)
    total = scores.sum(-1, keepdim=True)
    return (scores.div_(total + (total == 0)) @ call.values.to(wide(call))).to(call.q.dtype)


def only_the_gradients_that_are_needed(call: AttentionCall) -> Tensor:
    out: Tensor = _AsNeeded.apply(call.q, call.k, call.v, call)  # type: ignore[no-untyped-call] # torch's
    return out


def a_graph_that_is_used_once(call: AttentionCall) -> Tensor:
    """A second backward pass raises an exception."""
    out: Tensor = _Once.apply(call.q, call.k, call.v, call)  # type: ignore[no-untyped-call] # torch's
    return out


class _AsNeeded(Written):
    """The same, without the gradients that no input needs."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        made = Written.backward(ctx, *grads)
        return tuple(
            x if need else None for x, need in zip(made, ctx.needs_input_grad, strict=True)
        )


class _Once(Written):
    """The same; its tensors are released by the backward pass."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.call is None:
            raise RuntimeError("a second backward pass through a graph that was released")
        made = Written.backward(ctx, *grads)
        ctx.call = None
        return made


STORAGE: tuple[Form, ...] = (
    views_of_one_fused_copy,
    keys_expanded_over_their_group,
    length_before_heads_inside,
    dense_masks_in_a_cache,
    own_temporaries_overwritten,
    only_the_gradients_that_are_needed,
    a_graph_that_is_used_once,
)
"""Each takes q, k, v, the mask and the scale: no bias, softcap or sink."""
