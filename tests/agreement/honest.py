"""Right in unusual form: what the check must accept, whatever the order and form of its sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import log2
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from tests.agreement.attention_call import Answer, Asked, attend


def wide(asked: Asked) -> torch.dtype:
    """What sums are kept in."""
    return torch.promote_types(asked.q.dtype, torch.float32)


def keys_in_reverse_order(asked: Asked) -> Tensor:
    scores = asked.scale * (asked.q @ asked.keys.flip(2).mT)
    seen = asked.seen.flip(-1)
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ asked.values.flip(2)


def keys_shuffled_anew_each_time(asked: Asked) -> Tensor:
    """Its sums have another order each time, as those of atomic additions have."""
    order = torch.randperm(asked.k.shape[2])
    scores = asked.scale * (asked.q @ asked.keys[:, :, order].mT)
    seen = asked.seen[..., order]
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ asked.values[:, :, order]


def keys_in_order_of_size(asked: Asked) -> Tensor:
    """The largest first, hidden ones among them: they have a part in how sums are rounded."""
    order = asked.keys.float().norm(dim=-1).argsort(-1, descending=True)
    at = order[..., None]
    keys = asked.keys.gather(2, at.expand_as(asked.keys))
    values = asked.values.gather(2, at.expand_as(asked.values))
    seen = asked.seen.expand(*order.shape[:2], *asked.seen.shape[2:])
    seen = seen.gather(3, order[:, :, None].expand_as(seen))
    scores = asked.scale * (asked.q @ keys.mT)
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ values


def a_maximum_of_all_keys(asked: Asked) -> Tensor:
    """The largest score is looked for before the mask; at most 20 above what is seen."""
    scores = asked.scale * (asked.q.to(wide(asked)) @ asked.keys.to(wide(asked)).mT)
    seen_most = scores.masked_fill(~asked.seen, -1e30).amax(-1, keepdim=True)
    most = torch.minimum(scores.amax(-1, keepdim=True), seen_most + 20).detach()
    exponentials = torch.exp((scores - most).masked_fill(~asked.seen, -1e4))
    total = exponentials.sum(-1, keepdim=True)
    return (exponentials @ asked.values.to(wide(asked)) / (total + (total == 0))).to(asked.q.dtype)


def keys_less_their_mean(asked: Asked) -> Tensor:
    """The mean of all keys, hidden ones among them, is taken off: it moves no weight."""
    q, k, v = (x.to(wide(asked)) for x in (asked.q, asked.k, asked.v))
    k = k - k.mean(2, keepdim=True).detach()
    return attend(replace(asked, q=q, k=k, v=v)).to(asked.q.dtype)


def powers_of_two(asked: Asked) -> Tensor:
    q = asked.q.to(wide(asked)) * (asked.scale * log2(torch.e))
    scores = (q @ asked.keys.to(wide(asked)).mT).masked_fill(~asked.seen, -1e30)
    exponentials = torch.exp2(scores - scores.amax(-1, keepdim=True)).masked_fill(~asked.seen, 0)
    total = exponentials.sum(-1, keepdim=True).clamp_min(1e-30)
    return (exponentials @ asked.values.to(wide(asked)) / total).to(asked.q.dtype)


def logarithms_of_sums(asked: Asked) -> Tensor:
    scores = asked.scale * (asked.q.to(wide(asked)) @ asked.keys.to(wide(asked)).mT)
    scores = scores.masked_fill(~asked.seen, -1e30)
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    return (weights.masked_fill(~asked.seen, 0) @ asked.values.to(wide(asked))).to(asked.q.dtype)


def in_float64(asked: Asked) -> Tensor:
    q, k, v = (x.double() for x in (asked.q, asked.k, asked.v))
    return attend(replace(asked, q=q, k=k, v=v)).to(asked.q.dtype)


def in_float32(asked: Asked) -> Tensor:
    """Half precision in, sums in float32, half precision out."""
    q, k, v = (x.to(wide(asked)) for x in (asked.q, asked.k, asked.v))
    return attend(replace(asked, q=q, k=k, v=v)).to(asked.q.dtype)


def weights_in_the_dtype_of_the_inputs(asked: Asked) -> Tensor:
    """As the textbook has it: a softmax in bfloat16 on bfloat16 inputs."""
    scores = (asked.scale * (asked.q @ asked.keys.mT)).masked_fill(~asked.seen, -1e4)
    exponentials = torch.exp(scores - scores.amax(-1, keepdim=True)).masked_fill(~asked.seen, 0)
    total = exponentials.sum(-1, keepdim=True)
    return (exponentials / total.clamp_min(1e-4)) @ asked.values


def weights_rounded_before_values(asked: Asked) -> Tensor:
    """As kernels do that feed a matrix unit: in half precision, and divided after."""
    scores = (asked.scale * (asked.q.to(wide(asked)) @ asked.keys.to(wide(asked)).mT)).masked_fill(
        ~asked.seen, -1e30
    )
    exponentials = torch.exp(scores - scores.amax(-1, keepdim=True)).masked_fill(~asked.seen, 0)
    summed = (exponentials.to(asked.q.dtype) @ asked.values).to(wide(asked))
    total = exponentials.sum(-1, keepdim=True)
    return (summed / (total + (total == 0))).to(asked.q.dtype)


def scale_in_the_keys(asked: Asked) -> Tensor:
    return attend(replace(asked, k=asked.scale * asked.k, scale=1.0))


def scale_shared_by_queries_and_keys(asked: Asked) -> Tensor:
    root = asked.scale**0.5
    return attend(replace(asked, q=root * asked.q, k=root * asked.k, scale=1.0))


def infinity_added_where_hidden(asked: Asked) -> Tensor:
    hidden = torch.zeros(asked.seen.shape).masked_fill_(~asked.seen, float("-inf"))
    scores = asked.scale * (asked.q.to(wide(asked)) @ asked.keys.to(wide(asked)).mT) + hidden
    blind = ~asked.seen.any(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(blind, 0.0), -1).masked_fill(blind, 0.0)
    return (weights @ asked.values.to(wide(asked))).to(asked.q.dtype)


def a_billion_taken_where_hidden(asked: Asked) -> Tensor:
    scores = (
        asked.scale * (asked.q.to(wide(asked)) @ asked.keys.to(wide(asked)).mT) - 1e9 * ~asked.seen
    )
    weights = torch.softmax(scores, -1) * asked.seen.any(-1, keepdim=True)
    return (weights @ asked.values.to(wide(asked))).to(asked.q.dtype)


def padded_to_whole_blocks(asked: Asked) -> Tensor:
    """Keys that are none stand behind the last, hidden, up to a multiple of 64."""
    more = -asked.k.shape[2] % 64
    k, v = (pad(x, (0, 0, 0, more)) for x in (asked.keys, asked.values))
    seen = pad(asked.seen, (0, more))
    scores = (asked.scale * (asked.q @ k.mT)).masked_fill(~seen, -1e4)
    return torch.softmax(scores, -1).masked_fill(~seen, 0) @ v


def one_row_at_a_time(asked: Asked) -> Tensor:
    rows, keys, values = [], asked.keys, asked.values
    for q, seen in zip(asked.q.unbind(2), asked.seen[..., None].unbind(2), strict=True):
        scores = asked.scale * (keys * q[:, :, None]).sum(-1, keepdim=True)
        weights = torch.softmax(scores.masked_fill(~seen, -1e4), 2).masked_fill(~seen, 0)
        rows.append((weights * values).sum(2))
    return torch.stack(rows, 2)


def one_head_at_a_time(asked: Asked) -> Tensor:
    group = asked.q.shape[1] // asked.k.shape[1]
    heads = []
    for head in range(asked.q.shape[1]):
        one, shared = slice(head, head + 1), slice(head // group, head // group + 1)
        q, k, v = asked.q[:, one], asked.k[:, shared], asked.v[:, shared]
        heads.append(attend(replace(asked, q=q, k=k, v=v)))
    return torch.cat(heads, 1)


def blocks_of_37_keys(asked: Asked) -> Tensor:
    """A running maximum and sum over blocks of an odd size (arXiv 2205.14135)."""
    q = asked.scale * asked.q.to(wide(asked))
    top = torch.full_like(q[..., :1], -1e30)
    total, summed = torch.zeros_like(top), q.new_zeros(*q.shape[:3], asked.v.shape[3])
    for k, v, seen in _blocks(asked, 37):
        scores = (q @ k.to(wide(asked)).mT).masked_fill(~seen, -1e30)
        higher = torch.maximum(top, scores.amax(-1, keepdim=True)).detach()
        exponentials = torch.exp(scores - higher).masked_fill(~seen, 0)
        shrink = torch.exp(top - higher)
        total = shrink * total + exponentials.sum(-1, keepdim=True)
        summed = shrink * summed + exponentials @ v.to(wide(asked))
        top = higher
    return (summed / total.clamp_min(1e-30)).to(asked.q.dtype)


def two_passes(asked: Asked) -> Tensor:
    """Maximum and sum of every row first, blockwise; then weights and values, blockwise."""
    q = asked.scale * asked.q.to(wide(asked))
    blocks = [
        ((q @ k.to(wide(asked)).mT).masked_fill(~seen, -1e30), v.to(wide(asked)), seen)
        for k, v, seen in _blocks(asked, 50)
    ]
    log_sums = torch.stack([torch.logsumexp(s, -1, keepdim=True) for s, _, _ in blocks])
    log_sum = torch.logsumexp(log_sums, 0)
    parts = [torch.exp(s - log_sum).masked_fill(~seen, 0) @ v for s, v, seen in blocks]
    return torch.stack(parts).sum(0).to(asked.q.dtype)


def parts_of_keys_merged(asked: Asked) -> Tensor:
    """Answers over parts of the keys, merged by the logarithms of their sums, as decoding does."""
    outs, log_sums = [], []
    for k, v, seen in _blocks(asked, 23):
        scores = (asked.scale * (asked.q.to(wide(asked)) @ k.to(wide(asked)).mT)).masked_fill(
            ~seen, -1e30
        )
        log_sums.append(torch.logsumexp(scores, -1, keepdim=True))
        outs.append(torch.softmax(scores, -1).masked_fill(~seen, 0) @ v.to(wide(asked)))
    shares = torch.softmax(torch.stack(log_sums), 0)
    return (shares * torch.stack(outs)).sum(0).to(asked.q.dtype)


def backward_computed_anew(asked: Asked) -> Tensor:
    def forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(replace(asked, q=q, k=k, v=v))

    if not torch.is_grad_enabled():
        return forward(asked.q, asked.k, asked.v)
    out: Tensor = checkpoint(forward, asked.q, asked.k, asked.v, use_reentrant=False)
    return out


def backward_written_down(asked: Asked) -> Tensor:
    out: Tensor = _Written.apply(asked.q, asked.k, asked.v, asked)  # type: ignore[no-untyped-call] # torch's
    return out


def output_in_another_layout(asked: Asked) -> Tensor:
    return attend(asked).transpose(1, 2).contiguous().transpose(1, 2)


def output_within_a_larger_tensor(asked: Asked) -> Tensor:
    out = attend(asked)
    return pad(out, (1, 2, 3, 4))[:, :, 3:-4, 1:-2]


def grouped_queries_side_by_side(asked: Asked) -> Tensor:
    """Queries that share a key head are rows of one product: keys are not repeated."""
    group = asked.q.shape[1] // asked.k.shape[1]
    q = torch.unflatten(asked.q, 1, (-1, group)).flatten(2, 3)
    scores = torch.unflatten(asked.scale * (q @ asked.k.mT), 2, (group, -1))
    seen = asked.seen[:, :, None]
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return torch.unflatten(weights.flatten(2, 3) @ asked.v, 2, (group, -1)).flatten(1, 2)


def only_the_keys_that_some_row_sees(asked: Asked) -> Tensor:
    """Keys that nobody sees are never read, whatever stands there."""
    some = asked.seen.any((0, 1, 2))
    scores = asked.scale * (asked.q @ asked.keys[:, :, some].mT)
    seen = asked.seen[..., some]
    weights = torch.softmax(scores.masked_fill(~seen, -1e4), -1).masked_fill(~seen, 0)
    return weights @ asked.values[:, :, some]


def without_weights_too_small_to_tell(asked: Asked) -> Tensor:
    """Weights below a hundredth of u^2 of their row's largest are taken for none."""
    scores = asked.scale * (asked.q.to(wide(asked)) @ asked.keys.to(wide(asked)).mT)
    weights = torch.softmax(scores.masked_fill(~asked.seen, -1e4), -1).masked_fill(~asked.seen, 0)
    least = (torch.finfo(asked.q.dtype).eps / 2) ** 2 / 100 * weights.amax(-1, keepdim=True)
    weights = weights.masked_fill(weights < least, 0)
    return (weights @ asked.values.to(wide(asked))).to(asked.q.dtype)


def the_value_of_a_single_key(asked: Asked) -> Tensor:
    """A single key has all the weight: nothing depends on q and k, which have no gradient."""
    if asked.k.shape[2] > 1 or not asked.mask.is_full:
        return attend(asked)
    return asked.values.expand(-1, -1, asked.q.shape[2], -1)


def _blocks(asked: Asked, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    keys, values = torch.split(asked.keys, size, 2), torch.split(asked.values, size, 2)
    return zip(keys, values, torch.split(asked.seen, size, -1), strict=True)


class _Written(torch.autograd.Function):
    """The closed form of the gradients, dense, in float32 or wider."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, asked: Asked) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.asked = asked
        return in_float32(replace(asked, q=q, k=k, v=v))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        dtype = ctx.saved_tensors[0].dtype
        q, k, v, grad = (x.to(wide(ctx.asked)) for x in (*ctx.saved_tensors, grads[0]))
        asked = replace(ctx.asked, q=q, k=k, v=v)
        weights = torch.softmax(asked.scores.clamp_min(-1e30), -1).masked_fill(~asked.seen, 0)
        slopes = grad @ asked.values.mT
        slopes = asked.scale * weights * (slopes - (weights * slopes).sum(-1, keepdim=True))
        shape = (k.shape[1], -1)
        dk, dv = (torch.unflatten(x, 1, shape).sum(2) for x in (slopes.mT @ q, weights.mT @ grad))
        return (slopes @ asked.keys).to(dtype), dk.to(dtype), dv.to(dtype), None


HONEST: tuple[Answer, ...] = (
    keys_in_reverse_order,
    keys_shuffled_anew_each_time,
    keys_in_order_of_size,
    a_maximum_of_all_keys,
    keys_less_their_mean,
    powers_of_two,
    logarithms_of_sums,
    in_float64,
    in_float32,
    without_weights_too_small_to_tell,
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
