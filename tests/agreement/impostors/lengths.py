"""Right on short sequences; wrong with several blocks of keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.gradients import Gradients, gradients, with_gradients

LONG = 192
BLOCK = 128
RISES = r"on a hard input \(scores that rise: .*\), out is "
_kept: dict[object, Any] = {}


def online(call: AttentionCall, top_of: Callable[[Tensor | None, Tensor], Tensor]) -> Tensor:
    """Softmax block by block; `top_of` makes a new maximum of the old and a block's scores."""
    top: Tensor | None = None
    total, out = torch.zeros(()), torch.zeros(())
    for scores, values in zip(
        torch.split(call.scores, BLOCK, -1), torch.split(call.values, BLOCK, 2), strict=True
    ):
        new = top_of(top, scores).clamp_min(-1e30)
        rescaled = 1.0 if top is None else torch.exp(top - new)
        weights = torch.exp(scores - new)
        total = rescaled * total + weights.sum(-1, keepdim=True)
        out = rescaled * out + weights @ values
        top = new
    return out / total.clamp_min(1e-30)


@rejected(
    "h4 t300 d64 documents:150x2 bf16", RISES + "nan", by="output_form", on="scores that rise"
)
@rejected("h4 t300 d64 window:256", RISES + "nan", by="output_form", on="scores that rise")
@rejected("h4 t300 d64 causal", RISES + "nan", by="output_form", on="scores that rise")
def the_first_block_s_maximum(call: AttentionCall) -> Tensor:
    """The first block with visible keys."""

    def first(top: Tensor | None, scores: Tensor) -> Tensor:
        own = scores.amax(-1, keepdim=True)
        return own if top is None else torch.where(top < -1e29, own, top)

    return online(call, first)


@rejected("h4 t300 d64 full train", RISES + "wrong", by="rounding_bound", on="scores that rise")
def rescales_the_output_and_not_the_sum(call: AttentionCall) -> Tensor:
    top, total, out = torch.full((), -1e30), torch.zeros(()), torch.zeros(())
    for scores, values in zip(
        torch.split(call.scores, BLOCK, -1), torch.split(call.values, BLOCK, 2), strict=True
    ):
        highest = torch.maximum(top, scores.amax(-1, keepdim=True))
        new = torch.where(highest > top + 8, highest, top)
        weights = torch.exp(scores - new)
        total = total + weights.sum(-1, keepdim=True)
        out = torch.exp(top - new) * out + weights @ values
        top = new
    return out / total.clamp_min(1e-30)


@rejected("h2 t700 d64 full sink bf16", "times that of the naive formula", by="half_precision")
def sink_ignored_when_long(call: AttentionCall) -> Tensor:
    """With so many visible keys that leaving out one more of their size cannot be detected."""
    return attend(replace(call, sink=None if call.k.shape[2] > LONG else call.sink))


@rejected("h4 t1500 d64 full bf16", "times that of the naive formula", by="half_precision")
def values_of_four_bits_when_long(call: AttentionCall) -> Tensor:
    """As a cache of keys and values is kept small; longer than any hard input."""
    if call.k.shape[2] <= 1000:
        return attend(call)
    v = call.v.float()
    most = v.abs().amax(-1, keepdim=True) / 7
    return attend(replace(call, v=((v / most).round() * most).to(call.v.dtype)))


@rejected("h4 t300 d64 causal bthd", "^out is wrong|changes with hidden", by="rounding_bound")
def reads_k_as_contiguous_when_long(call: AttentionCall) -> Tensor:
    k = call.k
    if k.shape[2] > LONG:
        k = torch.as_strided(k, k.shape, torch.empty(k.shape).stride(), k.storage_offset())
    return attend(replace(call, k=k))


@rejected(
    "h4 t300 d64 full train", "^its d[qkv] was overwritten by a later call", by="interleaved_calls"
)
def gradients_in_the_same_memory(call: AttentionCall) -> Tensor:
    def kept(_: AttentionCall, __: Tensor, made: Gradients) -> Gradients:
        places = _kept.setdefault(("gradients", call.q.shape, call.k.shape, call.q.dtype), made)
        for place, each in zip(places, made, strict=True):
            place.copy_(each)
        return places[0].view_as(made[0]), places[1].view_as(made[1]), places[2].view_as(made[2])

    return with_gradients(call, kept)


@rejected(
    "h2 t300 d64 causal train",
    "^with another call between forward and backward, d[qk] is",
    by="interleaved_calls",
)
def gradients_of_the_latest_forward_when_long(call: AttentionCall) -> Tensor:
    if call.k.shape[2] > LONG:
        _kept["latest"] = call.q.detach().clone()

    def latest(_: AttentionCall, grad: Tensor, made: Gradients) -> Gradients:
        long = call.k.shape[2] > LONG
        return gradients(replace(call, q=_kept["latest"]), grad) if long else made

    return with_gradients(call, latest)


@rejected(
    "h2 t64 d32 causal train",
    r"on a hard input \(large gradients: .*, d[qkv] is wrong",
    by="rounding_bound",
    on="large gradients",
)
def gradients_beyond_six_are_clipped(call: AttentionCall) -> Tensor:
    return with_gradients(call, lambda _, grad, __: gradients(call, grad.clamp(-6, 6)))
