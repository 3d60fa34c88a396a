"""Encodings of positions in a layer: rotary and sinusoidal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

BASE: Final = 10_000.0
"""Wavelengths grow from 2 pi to this times 2 pi (arXiv 1706.03762, section 3.5)."""


def rotated(x: Tensor, first: int = 0) -> Tensor:
    """Rotate pairs of adjacent features by angles proportional to the position (arXiv 2104.09864).

    x      [B, H, T, D], D even; row t has position first + t

    The product of two rotated rows depends only on the distance of their positions.
    """
    import torch  # noqa: PLC0415 - the contract imports without torch

    angles = _angles(x.shape[2], x.shape[3], first, x)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(3)


def with_sinusoids(x: Tensor, first: int = 0) -> Tensor:
    """Activations plus sines and cosines of their positions (arXiv 1706.03762, section 3.5).

    x      [B, T, E]; row t has position first + t. With an odd E the last cosine is left out
    """
    import torch  # noqa: PLC0415 - likewise

    angles = _angles(x.shape[1], x.shape[2], first, x)
    waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)
    return x + waves[:, : x.shape[2]].to(x.dtype)


def _angles(length: int, width: int, first: int, like: Tensor) -> Tensor:
    """Angles [length, width / 2], rounded up, in float32 or wider."""
    import torch  # noqa: PLC0415 - likewise

    exact = torch.promote_types(like.dtype, torch.float32)
    speeds = BASE ** -(torch.arange(0, width, 2, dtype=exact, device=like.device) / width)
    positions = torch.arange(first, first + length, dtype=exact, device=like.device)
    return positions[:, None] * speeds
