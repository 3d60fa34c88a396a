"""Attention whose cost grows with T, since products of features take the place of the softmax.

A weight is a product of features of its query and its key, so that the sum over keys can be kept as
one matrix of features times values and updated key by key: a recurrent network's state. `linear`
has features of its own, elu + 1 (arXiv 2006.16236), and so computes another function; its reference
is the same sum written as one dense product. `performer` has random features whose expected product
is exp(scale * q k^T) (arXiv 2009.14794), and so approximates softmax attention.

Causal attention goes block by block: earlier keys from the state, the block's own densely.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import elu

from impls.interface import Limits, Mask, implementation

BLOCKS = (32, 64, 128, 256)
LEAST = 1e-6
"""What a random feature is at least, so that no sum of weights is zero."""
LIMITS = Limits(masks=("full", "causal"), unequal_lengths=False, own_value_dim=True)


def dense_linear(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    """What `linear` computes, all weights held at once; shapes as there."""
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))
    weights = (elu(q) + 1) @ (elu(k) + 1).mT
    if not mask.is_full:
        weights = weights.tril(k.shape[2] - q.shape[2])  # the last query sees the last key
    return (weights / weights.sum(-1, keepdim=True)) @ v


@implementation(
    Limits(masks=("full", "causal"), unequal_lengths=False, own_value_dim=True, own_scale=False),
    choices={"block": BLOCKS},
    reference=dense_linear,
)
def linear(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, block: int = 64) -> Tensor:
    """Linear attention in its recurrent form, block by block.

    q       [B, Hq, T, D]
    k       [B, Hk, T, D]
    v       [B, Hk, T, Dv]
    out     [B, Hq, T, Dv] in q's dtype; half precision is summed up in float32
    """
    exact = torch.promote_types(q.dtype, torch.float32)
    features = (elu(_grouped(q, k).to(exact)) + 1, elu(k[:, :, None].to(exact)) + 1)
    return _summed(*features, v[:, :, None].to(exact), mask, block).flatten(1, 2).to(q.dtype)


@implementation(
    LIMITS, choices={"features": (64, 128, 256, 512), "block": BLOCKS}, approximates=True
)
def performer(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    features: int = 256,
    block: int = 64,
) -> Tensor:
    """Softmax attention approximated by positive random features; more of them come nearer.

    q       [B, Hq, T, D]
    k       [B, Hk, T, D]
    v       [B, Hk, T, Dv]
    out     [B, Hq, T, Dv] in q's dtype; half precision is summed up in float32
    """
    exact = torch.promote_types(q.dtype, torch.float32)
    directions = _directions(features, q.shape[3], q.device).to(exact)
    queries = _exponents(_grouped(q, k).to(exact) * scale**0.5, directions)
    # Any factor of a query's own is divided out again. Keys have none in common: it would tell
    # earlier queries of later keys. None is needed, since |w|^2 / 2 is the most an exponent can be.
    queries = torch.exp(queries - queries.detach().amax(-1, keepdim=True)) + LEAST
    keys = torch.exp(_exponents(k[:, :, None].to(exact) * scale**0.5, directions)) + LEAST
    return _summed(queries, keys, v[:, :, None].to(exact), mask, block).flatten(1, 2).to(q.dtype)


def _grouped(q: Tensor, k: Tensor) -> Tensor:
    """[B, Hq, T, D] as [B, Hk, G, T, D]: the queries that share a key head together."""
    return torch.unflatten(q, 1, (k.shape[1], -1))


def _exponents(x: Tensor, directions: Tensor) -> Tensor:
    """Logarithms of the features of softmax: x w - |x|^2 / 2 for every direction w."""
    return x @ directions.mT - x.square().sum(-1, keepdim=True) / 2


def _summed(q: Tensor, k: Tensor, v: Tensor, mask: Mask, block: int) -> Tensor:
    """Features of queries times the sum of features of keys with their values, normalised.

    q [B, Hk, G, T, F], k [B, Hk, 1, T, F], v [B, Hk, 1, T, Dv]; the weights' sum is a value more
    """
    v = torch.cat((v, torch.ones_like(v[..., :1])), -1)
    out = q @ (k.mT @ v) if mask.is_full else _causal(q, k, v, block)
    return out[..., :-1] / out[..., -1:]


def _causal(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    """The same over the keys up to each query: a state of what came before, block by block."""
    state = torch.zeros_like(k[..., :1, :].mT @ v[..., :1, :])
    blocks = []
    for queries, keys, values in zip(*(torch.split(x, block, -2) for x in (q, k, v)), strict=True):
        own = (queries @ keys.mT).tril()
        blocks.append(own @ values + queries @ state)
        state = state + keys.mT @ values
    return torch.cat(blocks, -2)


@lru_cache(maxsize=8)
def _directions(count: int, dim: int, device: torch.device) -> Tensor:
    """[count, dim], always the same: as long as normal ones, orthogonal within every `dim`."""
    with torch.inference_mode(mode=False):
        generator = torch.Generator().manual_seed(count * 1_000_003 + dim)
        draws = [
            torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))[0]
            for _ in range(-(-count // dim))
        ]
        lengths = torch.randn(count, dim, generator=generator, dtype=torch.float64).norm(dim=1)
        return (torch.cat(draws)[:count] * lengths[:, None]).to(device)
