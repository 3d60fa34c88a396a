"""Models of images, by their configuration classes."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Final

import torch

from impls.interface import Problem
from suites.models.built import Batch, Built, answer
from suites.models.configured import (
    EXPANSION,
    configured,
    made,
    sizes,
    spread_of,
    width_of,
    with_spread_biases,
)
from suites.models.kinds import LAYERS

PATCH: Final = 16
"""Pixels of a side of a patch."""
SWIN_PATCH: Final = 4
"""The same for `swin`."""
STRIDE: Final = 8
"""Pixels of a side of a place, after the convolutional network of `detr`."""
CHANNELS: Final = 64
"""Of that network."""
LABELS: Final = 10


def vit(problem: Problem) -> Built:
    """A classifier of images."""
    side = PATCH * isqrt(problem.key_length - 1)
    values = {**sizes(problem), "image_size": side, "patch_size": PATCH, "num_labels": LABELS}
    model = made("ViTForImageClassification", "ViTConfig", **values)
    return Built(model=model, draw=images(problem.batch, side), answer=answer)


def swin(problem: Problem) -> Built:
    """A classifier of one image by its windows, of which the second layer shifts the borders."""
    window = isqrt(problem.key_length)
    side = SWIN_PATCH * window * isqrt(problem.batch)
    model = made(
        "SwinForImageClassification",
        "SwinConfig",
        image_size=side,
        patch_size=SWIN_PATCH,
        embed_dim=width_of(problem),
        depths=[LAYERS],
        num_heads=[problem.query_heads],
        window_size=window,
        drop_path_rate=0.0,
        num_labels=LABELS,
        initializer_range=spread_of(width_of(problem)),
    )
    return Built(model=with_spread_biases(model), draw=images(1, side), answer=answer)


def detr(problem: Problem) -> Built:
    """A detector of objects, after a convolutional network with random weights."""
    backbone = configured(
        "ResNetConfig",
        embedding_size=CHANNELS,
        hidden_sizes=[CHANNELS, CHANNELS],
        depths=[1, 1],
        out_features=["stage2"],
    )
    width = width_of(problem)
    model = made(
        "DetrForObjectDetection",
        "DetrConfig",
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone_config=backbone,
        d_model=width,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=problem.query_heads,
        decoder_attention_heads=problem.query_heads,
        encoder_ffn_dim=EXPANSION * width,
        decoder_ffn_dim=EXPANSION * width,
        num_queries=problem.query_length,
        init_std=spread_of(width),
        dropout=0.0,
    )
    side = STRIDE * isqrt(problem.key_length)
    return Built(model=model, draw=images(problem.batch, side), answer=answer)


def images(batch: int, side: int, channels: int = 3) -> Callable[[int], Batch]:
    """Draws images of normal numbers, [B, channels, side, side]."""

    def draw(seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        return {"pixel_values": torch.randn(batch, channels, side, side, generator=generator)}

    return draw
