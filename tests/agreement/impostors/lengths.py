"""Right on short sequences, which take another path: what several blocks of keys bring out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.agreement.attention_call import Asked, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.gradients import Gradients, gradients, with_gradients

LONG = 192
BLOCK = 128
RISES = r"on a hard input \(scores that rise: .*\), out is "
_kept: dict[object, Any] = {}


def online(asked: Asked, top_of: Callable[[Tensor | None, Tensor], Tensor]) -> Tensor:
    """Softmax block by block; `top_of` makes a new maximum of the old and a block's scores."""
    top: Tensor | None = None
    total, out = torch.zeros(()), torch.zeros(())
    for scores, values in zip(
        torch.split(asked.scores, BLOCK, -1), torch.split(asked.values, BLOCK, 2), strict=True
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
def the_first_block_s_maximum(asked: Asked) -> Tensor:
    """Of those that a row sees."""

    def first(top: Tensor | None, scores: Tensor) -> Tensor:
        own = scores.amax(-1, keepdim=True)
        return own if top is None else torch.where(top < -1e29, own, top)

    return online(asked, first)


@rejected("h4 t300 d64 full train", RISES + "wrong", by="rounding_bound", on="scores that rise")
def rescales_the_output_and_not_the_sum(asked: Asked) -> Tensor:
    top, total, out = torch.full((), -1e30), torch.zeros(()), torch.zeros(())
    for scores, values in zip(
        torch.split(asked.scores, BLOCK, -1), torch.split(asked.values, BLOCK, 2), strict=True
    ):
        highest = torch.maximum(top, scores.amax(-1, keepdim=True))
        new = torch.where(highest > top + 8, highest, top)
        weights = torch.exp(scores - new)
        total = total + weights.sum(-1, keepdim=True)
        out = torch.exp(top - new) * out + weights @ values
        top = new
    return out / total.clamp_min(1e-30)


@rejected("h2 t700 d64 full sink bf16", "times that of the naive formula", by="half_precision")
def sink_ignored_when_long(asked: Asked) -> Tensor:
    """Where so many keys are seen that one more of their size could not be told."""
    return attend(replace(asked, sink=None if asked.k.shape[2] > LONG else asked.sink))


@rejected("h4 t1500 d64 full bf16", "times that of the naive formula", by="half_precision")
def values_of_four_bits_when_long(asked: Asked) -> Tensor:
    """As a cache of keys and values is kept small; longer than any hard input."""
    if asked.k.shape[2] <= 1000:
        return attend(asked)
    v = asked.v.float()
    most = v.abs().amax(-1, keepdim=True) / 7
    return attend(replace(asked, v=((v / most).round() * most).to(asked.v.dtype)))


@rejected("h4 t300 d64 causal", "^in layout bthd, out is wrong", by="other_layout")
def reads_k_as_contiguous_when_long(asked: Asked) -> Tensor:
    k = asked.k
    if k.shape[2] > LONG:
        k = torch.as_strided(k, k.shape, torch.empty(k.shape).stride(), k.storage_offset())
    return attend(replace(asked, k=k))


@rejected(
    "h4 t300 d64 full train", "^its d[qkv] was overwritten by a later call", by="interleaved_calls"
)
def gradients_in_the_same_memory(asked: Asked) -> Tensor:
    def kept(_: Asked, __: Tensor, made: Gradients) -> Gradients:
        places = _kept.setdefault(("gradients", asked.q.shape, asked.k.shape, asked.q.dtype), made)
        for place, each in zip(places, made, strict=True):
            place.copy_(each)
        return places[0].view_as(made[0]), places[1].view_as(made[1]), places[2].view_as(made[2])

    return with_gradients(asked, kept)


@rejected(
    "h2 t300 d64 causal train",
    "^with another call between forward and backward, d[qk] is",
    by="interleaved_calls",
)
def gradients_of_the_latest_forward_when_long(asked: Asked) -> Tensor:
    if asked.k.shape[2] > LONG:
        _kept["latest"] = asked.q.detach().clone()

    def latest(_: Asked, grad: Tensor, made: Gradients) -> Gradients:
        long = asked.k.shape[2] > LONG
        return gradients(replace(asked, q=_kept["latest"]), grad) if long else made

    return with_gradients(asked, latest)


@rejected(
    "h2 t64 d32 causal train",
    r"on a hard input \(large gradients: .*, d[qkv] is wrong",
    by="rounding_bound",
    on="large gradients",
)
def gradients_beyond_six_are_clipped(asked: Asked) -> Tensor:
    return with_gradients(asked, lambda _, grad, __: gradients(asked, grad.clamp(-6, 6)))
