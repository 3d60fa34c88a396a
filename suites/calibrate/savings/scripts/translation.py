"""A training step of an encoder and decoder: full, causal and cross-attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import nn

from suites.calibrate.savings.scripts.layers import Block

IMPLEMENTATIONS: Final = ("naive", "chunked")
WIDTH: Final = 128
HEADS: Final = 4
SOURCE: Final = 384
TARGET: Final = 256


def prepared() -> Callable[[], None]:
    """One optimizer step."""
    torch.manual_seed(0)
    encoder = nn.ModuleList(Block(WIDTH, HEADS) for _ in range(2))
    decoder = nn.ModuleList(Block(WIDTH, HEADS, with_cross=True, is_causal=True) for _ in range(2))
    every = nn.ModuleList([encoder, decoder])
    optimizer = torch.optim.AdamW(every.parameters(), lr=1e-4)
    source, target = torch.randn(2, SOURCE, WIDTH), torch.randn(2, TARGET, WIDTH)

    def step() -> None:
        optimizer.zero_grad()
        memory, x = source, target
        for layer in encoder:
            memory = layer(memory)
        for layer in decoder:
            x = layer(x, memory)
        x.square().mean().backward()  # type: ignore[no-untyped-call] # torch's
        optimizer.step()

    return step
