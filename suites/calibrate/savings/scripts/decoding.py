"""A request: a prompt, then one token after the other over a cache of keys that grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from suites.calibrate.savings.scripts.layers import Attention

IMPLEMENTATIONS: Final = ("naive", "chunked", "sdpa_math", "sdpa_flash")
WIDTH: Final = 512
HEADS: Final = (8, 2)
PROMPT: Final = 384
TOKENS: Final = 16
LAYERS: Final = 3


class Cached(Attention):
    """Attention over a cache of keys and values."""

    def __init__(self) -> None:
        super().__init__(WIDTH, HEADS, enable_gqa=True)
        self.keys = torch.empty(1, HEADS[1], PROMPT + TOKENS, self.dim)
        self.values = torch.empty_like(self.keys)

    def after(self, x: Tensor, at: int) -> Tensor:
        """[B, T, E] to [B, T, E], for positions from `at` on."""
        end = at + x.shape[1]
        self.keys[:, :, at:end] = self.split(self.k(x))
        self.values[:, :, at:end] = self.split(self.v(x))
        self.options["is_causal"] = x.shape[1] > 1
        return self.merged(self.split(self.q(x)), self.keys[:, :, :end], self.values[:, :, :end])


def prepared() -> Callable[[], None]:
    """One request."""
    torch.manual_seed(0)
    layers = [Cached() for _ in range(LAYERS)]
    wide = [nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU()) for _ in range(LAYERS)]
    prompt = torch.randn(1, PROMPT, WIDTH)

    @torch.no_grad()
    def forward(x: Tensor, at: int) -> Tensor:
        for layer, rest in zip(layers, wide, strict=True):
            x = functional_norm(x + layer.after(x, at))
            x = x + rest(x)
        return x

    def step() -> None:
        x = forward(prompt, 0)[:, -1:]
        for at in range(PROMPT, PROMPT + TOKENS):
            x = forward(x, at)

    return step


def functional_norm(x: Tensor) -> Tensor:
    """Layer norm without weights."""
    return nn.functional.layer_norm(x, x.shape[-1:])
