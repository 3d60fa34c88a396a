"""A training step of a language model: causal layers and window layers in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import nn

from suites.calibrate.savings.scripts.layers import Block, band

IMPLEMENTATIONS: Final = ("naive", "chunked", "local_window", "local_attention")
WIDTH: Final = 128
HEADS: Final = 4
LENGTH: Final = 512
REACH: Final = 64


def prepared() -> Callable[[], None]:
    """One optimizer step."""
    torch.manual_seed(0)
    window = band(LENGTH, REACH)
    layers = nn.Sequential(
        Block(WIDTH, HEADS, is_causal=True),
        Block(WIDTH, HEADS, attn_mask=window),
        Block(WIDTH, HEADS, is_causal=True),
        Block(WIDTH, HEADS, attn_mask=window),
    )
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-4)
    batch = torch.randn(2, LENGTH, WIDTH)

    def step() -> None:
        optimizer.zero_grad()
        layers(batch).square().mean().backward()
        optimizer.step()

    return step
