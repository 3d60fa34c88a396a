"""The forward pass over a long text: window layers, and one layer that sees everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch

from suites.calibrate.savings.scripts.layers import Block, band

IMPLEMENTATIONS: Final = ("chunked", "local_window", "local_attention")
WIDTH: Final = 128
HEADS: Final = 4
LENGTH: Final = 1536
REACH: Final = 128


def prepared() -> Callable[[], None]:
    """The forward pass of one text."""
    torch.manual_seed(0)
    window = band(LENGTH, REACH)
    layers = [
        Block(WIDTH, HEADS, attn_mask=window),
        Block(WIDTH, HEADS, attn_mask=window),
        Block(WIDTH, HEADS, is_causal=True),
    ]
    text = torch.randn(1, LENGTH, WIDTH)

    @torch.no_grad()
    def step() -> None:
        x = text
        for layer in layers:
            x = layer(x)

    return step
