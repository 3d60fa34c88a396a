"""Right in a first call; wrong after calls with other settings, or in another mode of torch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from impls.interface import FULL
from suites.agreement.hard_inputs import LENGTHS, PLAIN
from suites.agreement.hard_numbers import RISING
from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.gradients import with_gradients
from tests.agreement.impostors.masks import without_keys

MASKS = "with two values of the mask in turn, "
SCALES = "with two values of the scale in turn, "
EIGHT = (*(f"lengths {each}" for each in LENGTHS["equal"]), PLAIN, RISING)
_KEPT: dict[Any, Any] = {}
_SHAPES: set[Any] = set()
_CALLS: Counter[Any] = Counter()


def as_many_threads_as_at_first() -> bool:
    count = torch.get_num_threads()
    return bool(_KEPT.setdefault("threads", count) == count)


def with_seen(call: AttentionCall, seen: Tensor) -> Tensor:
    """Attention with this dense mask in place of the given one."""
    return without_keys(replace(call, mask=FULL), ~seen)


@rejected("h4 t64 d16 window:16", MASKS + "out is wrong", by="remembered_settings", on=PLAIN)
@rejected("b2 h4 t64 d16 padding:0.5", MASKS + "out is wrong", by="remembered_settings", on=PLAIN)
def dense_mask_cached_by_the_address_of_the_mask(call: AttentionCall) -> Tensor:
    key = ("address", id(call.mask), call.q.shape[:3], call.k.shape[2])
    return with_seen(call, _KEPT.setdefault(key, call.seen))


@rejected("h4 t64 d16 window:9:5", MASKS + "out is wrong", by="remembered_settings", on=PLAIN)
@rejected(
    "h4 t65 d16 documents:10/23x2/9", MASKS + "out is wrong", by="remembered_settings", on=PLAIN
)
def dense_mask_cached_by_lengths(call: AttentionCall) -> Tensor:
    key = ("lengths", call.mask.kind, call.q.shape[:3], call.k.shape[2])
    return with_seen(call, _KEPT.setdefault(key, call.seen))


@rejected("h4 t64 d16 full scale0.3", SCALES + "out is wrong", by="remembered_settings", on=PLAIN)
def scale_cached_by_shape(call: AttentionCall) -> Tensor:
    scale = _KEPT.setdefault(("scale", call.q.shape, call.k.shape), call.scale)
    return attend(replace(call, scale=scale))


@rejected("h4 t64 d16 window:16", MASKS + "out is wrong", by="remembered_settings", on=PLAIN)
def last_mask_that_hid_fewer_keys(call: AttentionCall) -> Tensor:
    """It keeps the union of the masks of these lengths."""
    key = ("union", call.q.shape[:3], call.k.shape[2])
    _KEPT[key] = _KEPT.get(key, call.seen) | call.seen
    return with_seen(call, _KEPT[key])


@rejected("b2 h2 t129 d16 full", "on a hard input .*out is wrong", by="rounding_bound", on=PLAIN)
def keys_left_over_from_a_longer_call(call: AttentionCall) -> Tensor:
    """Keys are copied into a buffer that only grows, and all of it is read."""
    if not call.mask.is_full:
        return attend(call)
    key = ("buffer", call.k.shape[0], call.k.shape[1], call.k.shape[3])
    k, v = _KEPT.get(key, (call.k[:, :, :0], call.v[:, :, :0]))
    length = call.k.shape[2]
    k, v = (torch.cat([new, old[:, :, length:]], 2) for new, old in ((call.k, k), (call.v, v)))
    _KEPT[key] = k.detach(), v.detach()
    return attend(replace(call, k=k, v=v))


@rejected(
    "h4 t100 d16 full",
    "on a hard input .*out is wrong",
    by="rounding_bound",
    on="batch 1",
    after=EIGHT,
)
def another_formula_after_eight_shapes(call: AttentionCall) -> Tensor:
    """As a compiler that gives up after eight variants of a function."""
    _SHAPES.add(("eight", call.q.shape, call.k.shape))
    return attend(replace(call, scale=1.001 * call.scale) if len(_SHAPES) > 8 else call)


@rejected(
    "h4 t64 d16 full",
    "(one dominant key|outliers|threads).*out is wrong",
    by="rounding_bound",
    on="outliers",
    after=("one dominant key",),
)
def another_formula_from_the_third_call_on(call: AttentionCall) -> Tensor:
    key = tuple(x.data_ptr() for x in (call.q, call.k, call.v))
    _CALLS[key] += call.q.shape[0] == 2
    return attend(replace(call, scale=1.01 * call.scale) if _CALLS[key] > 2 else call)


@rejected("h4 t64 d16 full", r"inference_mode\(\), out is wrong", by="grad_modes", on=PLAIN)
@rejected("h4 t64 d16 causal train", r"inference_mode\(\), out", by="grad_modes", on=PLAIN)
def lower_precision_in_inference_mode(call: AttentionCall) -> Tensor:
    if not torch.is_inference_mode_enabled():
        return attend(call)
    q, k, v = (x.bfloat16() for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v)).to(call.q.dtype)


@rejected("h4 t64 d16 full", r"inference_mode\(\), out is wrong", by="grad_modes", on=PLAIN)
def values_of_inference_tensors_not_read(call: AttentionCall) -> Tensor:
    return attend(replace(call, v=0 * call.v) if call.v.is_inference() else call)


@rejected("h4 t64 d16 full", "that require a gradient, out is wrong", by="grad_modes", on=PLAIN)
def dropout_where_inputs_require_a_gradient(call: AttentionCall) -> Tensor:
    if not (call.q.requires_grad and torch.is_grad_enabled()):
        return attend(call)
    weights = torch.softmax(call.scores, -1).nan_to_num(0.0)
    return torch.dropout(weights, 0.1, train=True) @ call.values


@rejected("h4 t64 d16 full train", r"no_grad\(\), out is wrong", by="grad_modes", on=PLAIN)
def lower_precision_without_gradients(call: AttentionCall) -> Tensor:
    if torch.is_grad_enabled() or torch.is_inference_mode_enabled():
        return attend(call)
    k = call.k.bfloat16().to(call.k.dtype)
    return attend(replace(call, k=k))


@rejected("h4 t64 d16 full", r"with \d+ threads?, out is wrong", by="thread_counts", on=PLAIN)
def last_rows_left_out_with_another_number_of_threads(call: AttentionCall) -> Tensor:
    out = attend(call)
    if not as_many_threads_as_at_first():
        out[:, :, -1] = 0
    return out


@rejected("h4 t64 d16 full train", r"with \d+ threads?, dv is wrong", by="thread_counts", on=PLAIN)
def gradients_of_threads_lost(call: AttentionCall) -> Tensor:
    """As sums that several threads add to without a lock."""
    usual = as_many_threads_as_at_first()
    return with_gradients(call, lambda _, __, g: (g[0], g[1], g[2] if usual else 0.9 * g[2]))
