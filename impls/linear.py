"""Linear attention: feature maps replace the softmax, and the cost grows with T.

A weight is the product of a query feature and a key feature. The sum over keys is therefore one
matrix of key features times values, the state of a recurrent network. `linear` uses the features
elu + 1 (arXiv 2006.16236) and computes another function than attention; its reference is the same
sum as a dense product. `performer` uses random features whose expected product is
exp(scale * q k^T) (arXiv 2009.14794), and approximates softmax attention.

Causal attention runs block by block: keys of earlier blocks through the state, keys of the own
block densely.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import elu

from impls.interface import Limits, Mask, implementation

BLOCKS = (32, 64, 128, 256)
"""Rows of a block that are worth trying."""
LEAST = 1e-6
"""Lower bound of a random feature, so that no sum of weights is zero."""
LIMITS = Limits(masks=("full", "causal"), unequal_lengths=False, own_value_dim=True)


def dense_linear(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    """The reference of `linear`: all weights as one dense matrix; the same shapes."""
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))
    weights = (elu(q) + 1) @ (elu(k) + 1).mT
    if not mask.is_full:
        weights = weights.tril(k.shape[2] - q.shape[2])  # bottom-right alignment
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
    out     [B, Hq, T, Dv] in q's dtype; half precision accumulates in float32
    """
    wide = torch.promote_types(q.dtype, torch.float32)
    features = (elu(_grouped(q, k).to(wide)) + 1, elu(k[:, :, None].to(wide)) + 1)
    return _summed(*features, v[:, :, None].to(wide), mask, block).flatten(1, 2).to(q.dtype)


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
    """Softmax attention approximated by positive random features; more of them reduce the error.

    q       [B, Hq, T, D]
    k       [B, Hk, T, D]
    v       [B, Hk, T, Dv]
    out     [B, Hq, T, Dv] in q's dtype; half precision accumulates in float32
    """
    wide = torch.promote_types(q.dtype, torch.float32)
    directions = _directions(features, q.shape[3], q.device).to(wide)
    queries = _exponents(_grouped(q, k).to(wide) * scale**0.5, directions)
    # A factor per query cancels in the division. Keys get no common factor: under a causal mask it
    # would depend on later keys. None is needed, since their exponents are at most |w|^2 / 2.
    queries = torch.exp(queries - queries.detach().amax(-1, keepdim=True)) + LEAST
    keys = torch.exp(_exponents(k[:, :, None].to(wide) * scale**0.5, directions)) + LEAST
    return _summed(queries, keys, v[:, :, None].to(wide), mask, block).flatten(1, 2).to(q.dtype)


def _grouped(q: Tensor, k: Tensor) -> Tensor:
    """[B, Hq, T, D] as [B, Hk, G, T, D]: G query heads share a key head."""
    return torch.unflatten(q, 1, (k.shape[1], -1))


def _exponents(x: Tensor, directions: Tensor) -> Tensor:
    """Logarithms of the softmax features: x w - |x|^2 / 2 for every direction w."""
    return x @ directions.mT - x.square().sum(-1, keepdim=True) / 2


def _summed(q: Tensor, k: Tensor, v: Tensor, mask: Mask, block: int) -> Tensor:
    """Query features times the sum of key features and values, normalized.

    q [B, Hk, G, T, F], k [B, Hk, 1, T, F], v [B, Hk, 1, T, Dv]

    A column of ones appended to v gives the sum of the weights.
    """
    v = torch.cat((v, torch.ones_like(v[..., :1])), -1)
    out = q @ (k.mT @ v) if mask.is_full else _causal(q, k, v, block)
    return out[..., :-1] / out[..., -1:]


def _causal(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    """The sums over keys up to each query, block by block with a state of earlier blocks."""
    state = torch.zeros_like(k[..., :1, :].mT @ v[..., :1, :])
    blocks = []
    for queries, keys, values in zip(*(torch.split(x, block, -2) for x in (q, k, v)), strict=True):
        own = (queries @ keys.mT).tril()
        blocks.append(own @ values + queries @ state)
        state = state + keys.mT @ values
    return torch.cat(blocks, -2)


@lru_cache(maxsize=8)
def _directions(count: int, dim: int, device: torch.device) -> Tensor:
    """Fixed directions [count, dim]: norms of normal vectors, orthogonal in each group of `dim`."""
    with torch.inference_mode(mode=False):
        generator = torch.Generator().manual_seed(count * 1_000_003 + dim)
        draws = [
            torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))[0]
            for _ in range(-(-count // dim))
        ]
        lengths = torch.randn(count, dim, generator=generator, dtype=torch.float64).norm(dim=1)
        return (torch.cat(draws)[:count] * lengths[:, None]).to(device)
