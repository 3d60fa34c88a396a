"""Models of diffusion, of diffusers."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any, Final

import torch

from impls.interface import Problem
from suites.models.built import Batch, Built, answer
from suites.models.kinds import LAYERS

PATCH: Final = 2
"""Places of a side of a patch of a latent image."""
CHANNELS: Final = 4
CLASSES: Final = 10
STEPS: Final = 1000
"""Steps of the diffusion, of which a batch has one for each image."""


def dit(problem: Problem) -> Built:
    """A step of diffusion with a class and a time for each latent image."""
    from diffusers import DiTTransformer2DModel  # noqa: PLC0415 - another package than the others'

    side = PATCH * isqrt(problem.key_length)
    model: Any = DiTTransformer2DModel(  # type: ignore[no-untyped-call] # diffusers'
        num_attention_heads=problem.query_heads,
        attention_head_dim=problem.head_dim,
        in_channels=CHANNELS,
        num_layers=LAYERS,
        sample_size=side,
        patch_size=PATCH,
        num_embeds_ada_norm=CLASSES,
    )
    return Built(model=model, draw=_latents(problem.batch, side), answer=answer)


def _latents(batch: int, side: int) -> Callable[[int], Batch]:
    def draw(seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        return {
            "hidden_states": torch.randn(batch, CHANNELS, side, side, generator=generator),
            "timestep": torch.randint(0, STEPS, (batch,), generator=generator),
            "class_labels": torch.randint(0, CLASSES, (batch,), generator=generator),
        }

    return draw
