"""Texts of several lengths in one batch: an encoder forward, with padding on the right."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Final

import torch

from suites.calibrate.savings.scripts.layers import Block

IMPLEMENTATIONS: Final = ("naive", "chunked", "sdpa_math", "sdpa_flash")
WIDTH: Final = 192
HEADS: Final = 6
LENGTH: Final = 256
BATCHES: Final = ((256, 200, 150, 90), (256, 230, 120, 100))


def prepared() -> Callable[[], None]:
    """The forward pass of one batch; two batches take turns."""
    torch.manual_seed(0)
    layers = [Block(WIDTH, HEADS).eval() for _ in range(4)]
    batch = torch.randn(len(BATCHES[0]), LENGTH, WIDTH)
    positions = torch.arange(LENGTH)
    masks = cycle([(positions < torch.tensor(ends)[:, None])[:, None, None] for ends in BATCHES])

    @torch.no_grad()
    def step() -> None:
        mask = next(masks).clone()  # every batch has a mask of its own
        x = batch
        for layer in layers:
            x = layer(x, mask=mask)

    return step
