"""Small models in plain torch: an embedding, pre-norm encoder layers, and a classifier.

Attention is called as a function of q, k and v, [B, H, T, D], strided views as models make them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from impls.interface import Problem

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Attention, [B, H, T, D] each."""
EXPANSION = 2
"""Width of the hidden layer of a feed-forward network, as a multiple of the model's."""


class EncoderLayer(nn.Module):
    """Attention and a feed-forward network, each behind a norm and beside a residual."""

    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        width = heads * head_dim
        self.heads, self.head_dim = heads, head_dim
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, EXPANSION * width), nn.GELU(), nn.Linear(EXPANSION * width, width)
        )

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """[B, T, E] to [B, T, E]."""
        split = self.qkv(self.before(x)).view(*x.shape[:2], 3, self.heads, self.head_dim)
        q, k, v = (split[:, :, part].transpose(1, 2) for part in range(3))
        x = x + self.out(attend(q, k, v).transpose(1, 2).flatten(2))
        return x + self.feed(self.between(x))


class Classifier(nn.Module):
    """Embedded words or patches, positions, encoder layers, and the classes.

    embedding  of the task: [B, T, ...] to [B, T, E]
    layers     encoder layers
    pooled     [B, T] weights of the places whose mean is classified, 1 or 0; [1, T] for all rows
    """

    def __init__(
        self, problem: Problem, embedding: nn.Module, layers: int, classes: int, pooled: Tensor
    ) -> None:
        super().__init__()
        heads, width = problem.query_heads, problem.query_heads * problem.head_dim
        self.embedding = embedding
        self.positions = nn.Parameter(0.5 * torch.randn(problem.query_length, width))
        self.layers = nn.ModuleList(EncoderLayer(heads, problem.head_dim) for _ in range(layers))
        self.norm, self.classes = nn.LayerNorm(width), nn.Linear(width, classes)
        self.register_buffer("pooled", (pooled / pooled.sum(1, keepdim=True))[..., None])

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """[B, T, ...] to logits [B, classes]."""
        x = self.embedding(x) + self.positions
        for layer in self.layers:
            x = layer(x, attend)
        return self.classes((self.norm(x) * self.pooled).sum(1))


class KeysAndValues(nn.Module):
    """The embedding of words with a key and a value: the sum of both."""

    def __init__(self, keys: int, values: int, width: int) -> None:
        super().__init__()
        self.keys, self.values = nn.Embedding(keys, width), nn.Embedding(values, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, 2] to [B, T, E]."""
        return self.keys(x[..., 0]) + self.values(x[..., 1])
