"""How much work the dense part of a layer is, by the sizes of its attention. Without torch."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem

LAYERS: Final = 4
"""Layers in a row, each with a call of attention."""
WIDER: Final = 2
"""Width of the feed-forward part over that of the model."""
MOST_WORK: Final = 1e10
"""Multiplications and additions of the longest layer: all take a second or less on one CPU."""


def work(problem: Problem) -> float:
    """Multiplications and additions of a layer, three times as many in training."""
    width, wide = problem.query_heads * problem.value_size, following_width(problem)
    rows = problem.batch * problem.query_length
    forward = 2.0 * rows * width * ((1 + 2 * WIDER) * width + wide)
    return 3 * forward if problem.training else forward


def is_short(problem: Problem) -> bool:
    """Whether a layer is short enough to be timed in rounds."""
    return work(problem) <= MOST_WORK


def following_width(problem: Problem) -> int:
    """Columns of the next q, k and v."""
    keys = problem.key_heads * (problem.head_dim + problem.value_size)
    return problem.query_heads * problem.head_dim + keys
