"""The forward pass of a vision transformer: 197 patches, as ViT has at 224 pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch

from suites.calibrate.savings.scripts.layers import Block

IMPLEMENTATIONS: Final = ("naive", "chunked", "sdpa_math", "sdpa_flash")
WIDTH: Final = 384
HEADS: Final = 6
PATCHES: Final = 197


def prepared() -> Callable[[], None]:
    """The forward pass of two images."""
    torch.manual_seed(0)
    layers = [Block(WIDTH, HEADS).eval() for _ in range(4)]
    images = torch.randn(2, PATCHES, WIDTH)

    @torch.no_grad()
    def step() -> None:
        x = images
        for layer in layers:
            x = layer(x)

    return step
