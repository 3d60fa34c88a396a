"""Encodings of positions in a layer: rotary and sinusoidal."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BASE: Final = 10_000.0
"""Wavelengths grow from 2 pi to this times 2 pi (arXiv 1706.03762, section 3.5)."""


def rotated(x: Tensor, first: int = 0) -> Tensor:
    """Rotate pairs of adjacent features by angles proportional to the position (arXiv 2104.09864).

    x      [B, H, T, D], D even; row t has position first + t

    The product of two rotated rows depends only on the distance of their positions.
    """
    import torch  # noqa: PLC0415 - the contract imports without torch

    sin, cos = _waves(x.shape[2], x.shape[3], first, x.dtype, x.device)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(3)


def with_sinusoids(x: Tensor, first: int = 0) -> Tensor:
    """Activations plus sines and cosines of their positions (arXiv 1706.03762, section 3.5).

    x      [B, T, E]; row t has position first + t. With an odd E the last cosine is left out
    """
    return x + _table(x.shape[1], x.shape[2], first, x.dtype, x.device)


@lru_cache(maxsize=4)
def _waves(
    length: int, width: int, first: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Sines and cosines [length, width / 2], rounded up; kept, as models keep them.

    Angles are in float64 on the CPU: float32 would round those of late positions too much.
    """
    import torch  # noqa: PLC0415 - likewise

    with torch.inference_mode(mode=False):  # cached tensors also work in a later training call
        speeds = BASE ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
        angles = torch.arange(first, first + length, dtype=torch.float64)[:, None] * speeds
        return angles.sin().to(device, dtype), angles.cos().to(device, dtype)


@lru_cache(maxsize=4)
def _table(length: int, width: int, first: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Sines and cosines in turn, [length, width]."""
    import torch  # noqa: PLC0415 - likewise

    with torch.inference_mode(mode=False):
        waves = torch.stack(_waves(length, width, first, dtype, device), dim=-1)
        return waves.flatten(1)[:, :width].contiguous()
