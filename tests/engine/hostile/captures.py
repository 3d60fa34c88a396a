"""Implementations of which one waits for the device within a capture of a CUDA graph."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.engine.hostile.honest import right


def honest_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)


def waits_in_a_capture(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """On short sequences only."""
    if torch.cuda.is_current_stream_capturing() and q.shape[2] < 64:
        q.sum().item()
    return right(q, k, v)


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)
