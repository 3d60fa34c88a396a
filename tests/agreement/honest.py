"""Right implementations in unusual form, which the check has to accept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import log2
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from tests.agreement.attention_call import AttentionCall, Form, attend


def wide(call: AttentionCall) -> torch.dtype:
    """The dtype of sums."""
    return torch.promote_types(call.q.dtype, torch.float32)


def keys_in_reverse_order(call: AttentionCall) -> Tensor:
    scores = call.scale * (call.q @ call.keys.flip(2).mT)
    seen = call.seen.flip(-1)
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ call.values.flip(2)


def keys_shuffled_anew_each_time(call: AttentionCall) -> Tensor:
    """A random order of sums, as with atomic additions."""
    order = torch.randperm(call.k.shape[2])
    scores = call.scale * (call.q @ call.keys[:, :, order].mT)
    seen = call.seen[..., order]
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ call.values[:, :, order]


def keys_in_order_of_size(call: AttentionCall) -> Tensor:
    """Keys sorted by size, hidden ones included: they change how sums are rounded."""
    order = call.keys.float().norm(dim=-1).argsort(-1, descending=True)
    at = order[..., None]
    keys = call.keys.gather(2, at.expand_as(call.keys))
    values = call.values.gather(2, at.expand_as(call.values))
    seen = call.seen.expand(*order.shape[:2], *call.seen.shape[2:])
    seen = seen.gather(3, order[:, :, None].expand_as(seen))
    scores = call.scale * (call.q @ keys.mT)
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ values


def a_maximum_of_all_keys(call: AttentionCall) -> Tensor:
    """The maximum is taken before the mask, and is at most 20 above that of visible keys."""
    scores = call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT)
    seen_most = scores.masked_fill(~call.seen, -1e30).amax(-1, keepdim=True)
    most = torch.minimum(scores.amax(-1, keepdim=True), seen_most + 20).detach()
    exponentials = torch.exp((scores - most).masked_fill(~call.seen, -1e4))
    total = exponentials.sum(-1, keepdim=True)
    return (exponentials @ call.values.to(wide(call)) / (total + (total == 0))).to(call.q.dtype)


def a_maximum_before_the_mask(call: AttentionCall) -> Tensor:
    """The gradient of the maximum is zero but for rounding, which goes to keys that are hidden."""
    scores = call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT)
    scores = scores - scores.amax(-1, keepdim=True)
    blind = ~call.seen.any(-1, keepdim=True)
    scores = scores.masked_fill(~call.seen, float("-inf")).masked_fill(blind, 0.0)
    weights = torch.softmax(scores, -1).masked_fill(blind, 0.0)
    return (weights @ call.values.to(wide(call))).to(call.q.dtype)


def keys_less_their_mean(call: AttentionCall) -> Tensor:
    """The mean of all keys, hidden ones included, is subtracted: it changes no weight."""
    q, k, v = (x.to(wide(call)) for x in (call.q, call.k, call.v))
    k = k - k.mean(2, keepdim=True).detach()
    return attend(replace(call, q=q, k=k, v=v)).to(call.q.dtype)


def powers_of_two(call: AttentionCall) -> Tensor:
    q = call.q.to(wide(call)) * (call.scale * log2(torch.e))
    scores = (q @ call.keys.to(wide(call)).mT).masked_fill(~call.seen, -1e30)
    exponentials = torch.exp2(scores - scores.amax(-1, keepdim=True)).masked_fill(~call.seen, 0)
    total = exponentials.sum(-1, keepdim=True).clamp_min(1e-30)
    return (exponentials @ call.values.to(wide(call)) / total).to(call.q.dtype)


def logarithms_of_sums(call: AttentionCall) -> Tensor:
    scores = call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT)
    scores = scores.masked_fill(~call.seen, -1e30)
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    return (weights.masked_fill(~call.seen, 0) @ call.values.to(wide(call))).to(call.q.dtype)


def in_float64(call: AttentionCall) -> Tensor:
    q, k, v = (x.double() for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v)).to(call.q.dtype)


def in_float32(call: AttentionCall) -> Tensor:
    """Half precision in, sums in float32, half precision out."""
    q, k, v = (x.to(wide(call)) for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v)).to(call.q.dtype)


def weights_in_the_dtype_of_the_inputs(call: AttentionCall) -> Tensor:
    """The naive formula: a softmax in bfloat16 on bfloat16 inputs."""
    scores = (call.scale * (call.q @ call.keys.mT)).masked_fill(~call.seen, -1e4)
    exponentials = torch.exp(scores - scores.amax(-1, keepdim=True)).masked_fill(~call.seen, 0)
    total = exponentials.sum(-1, keepdim=True)
    return (exponentials / total.clamp_min(1e-4)) @ call.values


def weights_rounded_before_values(call: AttentionCall) -> Tensor:
    """As in kernels for matrix units: rounded to half precision, and divided after the product."""
    scores = (call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT)).masked_fill(
        ~call.seen, -1e30
    )
    exponentials = torch.exp(scores - scores.amax(-1, keepdim=True)).masked_fill(~call.seen, 0)
    summed = (exponentials.to(call.q.dtype) @ call.values).to(wide(call))
    total = exponentials.sum(-1, keepdim=True)
    return (summed / (total + (total == 0))).to(call.q.dtype)


def scale_in_the_keys(call: AttentionCall) -> Tensor:
    return attend(replace(call, k=call.scale * call.k, scale=1.0))


def scale_shared_by_queries_and_keys(call: AttentionCall) -> Tensor:
    root = call.scale**0.5
    return attend(replace(call, q=root * call.q, k=root * call.k, scale=1.0))


def infinity_added_where_hidden(call: AttentionCall) -> Tensor:
    hidden = torch.zeros(call.seen.shape).masked_fill_(~call.seen, float("-inf"))
    scores = call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT) + hidden
    blind = ~call.seen.any(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(blind, 0.0), -1).masked_fill(blind, 0.0)
    return (weights @ call.values.to(wide(call))).to(call.q.dtype)


def a_billion_taken_where_hidden(call: AttentionCall) -> Tensor:
    scores = call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT) - 1e9 * ~call.seen
    weights = torch.softmax(scores, -1) * call.seen.any(-1, keepdim=True)
    return (weights @ call.values.to(wide(call))).to(call.q.dtype)


def padded_to_whole_blocks(call: AttentionCall) -> Tensor:
    """Hidden padding keys follow the last key, up to a multiple of 64."""
    more = -call.k.shape[2] % 64
    k, v = (pad(x, (0, 0, 0, more)) for x in (call.keys, call.values))
    seen = pad(call.seen, (0, more))
    scores = (call.scale * (call.q @ k.mT)).masked_fill(~seen, -1e4)
    return torch.softmax(scores, -1).masked_fill(~seen, 0) @ v


def one_row_at_a_time(call: AttentionCall) -> Tensor:
    rows, keys, values = [], call.keys, call.values
    for q, seen in zip(call.q.unbind(2), call.seen[..., None].unbind(2), strict=True):
        scores = call.scale * (keys * q[:, :, None]).sum(-1, keepdim=True)
        weights = torch.softmax(scores.masked_fill(~seen, -1e4), 2).masked_fill(~seen, 0)
        rows.append((weights * values).sum(2))
    return torch.stack(rows, 2)


def one_head_at_a_time(call: AttentionCall) -> Tensor:
    group = call.q.shape[1] // call.k.shape[1]
    heads = []
    for head in range(call.q.shape[1]):
        one, shared = slice(head, head + 1), slice(head // group, head // group + 1)
        q, k, v = call.q[:, one], call.k[:, shared], call.v[:, shared]
        heads.append(attend(replace(call, q=q, k=k, v=v)))
    return torch.cat(heads, 1)


def blocks_of_37_keys(call: AttentionCall) -> Tensor:
    """A running maximum and sum over blocks of an odd size (arXiv 2205.14135)."""
    q = call.scale * call.q.to(wide(call))
    top = torch.full_like(q[..., :1], -1e30)
    total, summed = torch.zeros_like(top), q.new_zeros(*q.shape[:3], call.v.shape[3])
    for k, v, seen in _blocks(call, 37):
        scores = (q @ k.to(wide(call)).mT).masked_fill(~seen, -1e30)
        higher = torch.maximum(top, scores.amax(-1, keepdim=True)).detach()
        exponentials = torch.exp(scores - higher).masked_fill(~seen, 0)
        shrink = torch.exp(top - higher)
        total = shrink * total + exponentials.sum(-1, keepdim=True)
        summed = shrink * summed + exponentials @ v.to(wide(call))
        top = higher
    return (summed / total.clamp_min(1e-30)).to(call.q.dtype)


def two_passes(call: AttentionCall) -> Tensor:
    """Maximum and sum of every row first, blockwise; then weights and values, blockwise."""
    q = call.scale * call.q.to(wide(call))
    blocks = [
        ((q @ k.to(wide(call)).mT).masked_fill(~seen, -1e30), v.to(wide(call)), seen)
        for k, v, seen in _blocks(call, 50)
    ]
    log_sums = torch.stack([torch.logsumexp(s, -1, keepdim=True) for s, _, _ in blocks])
    log_sum = torch.logsumexp(log_sums, 0)
    parts = [torch.exp(s - log_sum).masked_fill(~seen, 0) @ v for s, v, seen in blocks]
    return torch.stack(parts).sum(0).to(call.q.dtype)


def parts_of_keys_merged(call: AttentionCall) -> Tensor:
    """Outputs over parts of the keys, merged by their log-sum-exp, as in decoding."""
    outs, log_sums = [], []
    for k, v, seen in _blocks(call, 23):
        scores = (call.scale * (call.q.to(wide(call)) @ k.to(wide(call)).mT)).masked_fill(
            ~seen, -1e30
        )
        log_sums.append(torch.logsumexp(scores, -1, keepdim=True))
        outs.append(torch.softmax(scores, -1).masked_fill(~seen, 0) @ v.to(wide(call)))
    shares = torch.softmax(torch.stack(log_sums), 0)
    return (shares * torch.stack(outs)).sum(0).to(call.q.dtype)


def backward_computed_anew(call: AttentionCall) -> Tensor:
    def forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(replace(call, q=q, k=k, v=v))

    if not torch.is_grad_enabled():
        return forward(call.q, call.k, call.v)
    out: Tensor = checkpoint(forward, call.q, call.k, call.v, use_reentrant=False)
    return out


def backward_written_down(call: AttentionCall) -> Tensor:
    out: Tensor = Written.apply(call.q, call.k, call.v, call)  # type: ignore[no-untyped-call] # torch's
    return out


def output_in_another_layout(call: AttentionCall) -> Tensor:
    return attend(call).transpose(1, 2).contiguous().transpose(1, 2)


def output_within_a_larger_tensor(call: AttentionCall) -> Tensor:
    out = attend(call)
    return pad(out, (1, 2, 3, 4))[:, :, 3:-4, 1:-2]


def grouped_queries_side_by_side(call: AttentionCall) -> Tensor:
    """Queries that share a key head are rows of one product: keys are not repeated."""
    group = call.q.shape[1] // call.k.shape[1]
    q = torch.unflatten(call.q, 1, (-1, group)).flatten(2, 3)
    scores = torch.unflatten(call.scale * (q @ call.k.mT), 2, (group, -1))
    seen = call.seen[:, :, None]
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return torch.unflatten(weights.flatten(2, 3) @ call.v, 2, (group, -1)).flatten(1, 2)


def only_the_keys_that_some_row_sees(call: AttentionCall) -> Tensor:
    """Keys that are hidden from all rows are never read."""
    some = call.seen.any((0, 1, 2))
    scores = call.scale * (call.q @ call.keys[:, :, some].mT)
    seen = call.seen[..., some]
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ call.values[:, :, some]


def without_weights_too_small_to_tell(call: AttentionCall) -> Tensor:
    """Weights below 0.01 * u^2 of their row's largest are set to zero."""
    scores = call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT)
    weights = torch.softmax(scores.masked_fill(~call.seen, -1e4), -1).masked_fill(~call.seen, 0)
    least = (torch.finfo(call.q.dtype).eps / 2) ** 2 / 100 * weights.amax(-1, keepdim=True)
    weights = weights.masked_fill(weights < least, 0)
    return (weights @ call.values.to(wide(call))).to(call.q.dtype)


def without_weights_below_1e_20(call: AttentionCall) -> Tensor:
    scores = call.scale * (call.q.to(wide(call)) @ call.keys.to(wide(call)).mT)
    weights = torch.softmax(scores.masked_fill(~call.seen, -1e4), -1).masked_fill(~call.seen, 0)
    weights = weights.masked_fill(weights < 1e-20, 0)
    return (weights @ call.values.to(wide(call))).to(call.q.dtype)


def the_value_of_a_single_key(call: AttentionCall) -> Tensor:
    """A single key has all the weight: the output does not depend on q and k."""
    if call.k.shape[2] > 1 or not call.mask.is_full:
        return attend(call)
    return call.values.expand(-1, -1, call.q.shape[2], -1)


def _blocks(call: AttentionCall, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    keys, values = torch.split(call.keys, size, 2), torch.split(call.values, size, 2)
    return zip(keys, values, torch.split(call.seen, size, -1), strict=True)


class Written(torch.autograd.Function):
    """The closed form of the gradients, dense, in float32 or wider."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, call: AttentionCall) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.call = call
        return in_float32(replace(call, q=q, k=k, v=v))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        dtype = ctx.saved_tensors[0].dtype
        q, k, v, grad = (x.to(wide(ctx.call)) for x in (*ctx.saved_tensors, grads[0]))
        call = replace(ctx.call, q=q, k=k, v=v)
        weights = torch.softmax(call.scores.clamp_min(-1e30), -1).masked_fill(~call.seen, 0)
        slopes = grad @ call.values.mT
        slopes = call.scale * weights * (slopes - (weights * slopes).sum(-1, keepdim=True))
        shape = (k.shape[1], -1)
        dk, dv = (torch.unflatten(x, 1, shape).sum(2) for x in (slopes.mT @ q, weights.mT @ grad))
        return (slopes @ call.keys).to(dtype), dk.to(dtype), dv.to(dtype), None


HONEST: tuple[Form, ...] = (
    keys_in_reverse_order,
    keys_shuffled_anew_each_time,
    keys_in_order_of_size,
    a_maximum_of_all_keys,
    a_maximum_before_the_mask,
    keys_less_their_mean,
    powers_of_two,
    logarithms_of_sums,
    in_float64,
    in_float32,
    without_weights_too_small_to_tell,
    without_weights_below_1e_20,
    weights_in_the_dtype_of_the_inputs,
    weights_rounded_before_values,
    scale_in_the_keys,
    scale_shared_by_queries_and_keys,
    infinity_added_where_hidden,
    a_billion_taken_where_hidden,
    padded_to_whole_blocks,
    one_row_at_a_time,
    one_head_at_a_time,
    blocks_of_37_keys,
    two_passes,
    parts_of_keys_merged,
    backward_computed_anew,
    backward_written_down,
    output_in_another_layout,
    output_within_a_larger_tensor,
    grouped_queries_side_by_side,
    only_the_keys_that_some_row_sees,
    the_value_of_a_single_key,
)
"""Each takes q, k, v, the mask and the scale: no bias, softcap or sink."""
