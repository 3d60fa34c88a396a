"""Layers of the scripts: attention with projections, and a block with a feed-forward part."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Projections around scaled_dot_product_attention.

    width    E
    heads    Hq and Hk
    options  of scaled_dot_product_attention
    """

    def __init__(self, width: int, heads: tuple[int, int], **options: Any) -> None:
        super().__init__()
        self.dim, self.heads, self.options = width // heads[0], heads, options
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, heads[1] * self.dim)
        self.v = nn.Linear(width, heads[1] * self.dim)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, other: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """[B, Tq, E] to [B, Tq, E]; keys and values come from `other`, [B, Tk, E]."""
        source = x if other is None else other
        q, k, v = self.split(self.q(x)), self.split(self.k(source)), self.split(self.v(source))
        return self.merged(q, k, v, mask)

    def split(self, x: Tensor) -> Tensor:
        """[B, T, H * D] as [B, H, T, D]."""
        return x.view(*x.shape[:-1], -1, self.dim).transpose(1, 2)

    def merged(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention of the heads, and the output projection."""
        given = self.options if mask is None else {**self.options, "attn_mask": mask}
        attended = functional.scaled_dot_product_attention(q, k, v, **given)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out


class Block(nn.Module):
    """Attention, optional cross-attention, and a feed-forward part, each with a residual."""

    def __init__(self, width: int, heads: int, *, with_cross: bool = False, **options: Any) -> None:
        super().__init__()
        self.attention = Attention(width, (heads, heads), **options)
        self.cross = Attention(width, (heads, heads)) if with_cross else None
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, other: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """[B, T, E] to [B, T, E]; `other` is for the cross-attention, [B, Tk, E]."""
        x = x + self.attention(self.norms[0](x), mask=mask)
        if self.cross is not None:
            x = x + self.cross(self.norms[1](x), other)
        out: Tensor = x + self.narrow(functional.gelu(self.wide(self.norms[2](x))))
        return out


def band(length: int, reach: int) -> Tensor:
    """The bool mask of a causal window, [T, T]: a query sees `reach` keys, its own among them."""
    ones = torch.ones(length, length, dtype=torch.bool)
    return ones.tril() & ones.triu(1 - reach)
