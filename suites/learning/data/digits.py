"""Handwritten digits: 1,797 images of 8x8 pixels that scikit-learn has in its package."""

from __future__ import annotations

import torch

from impls.interface import Problem
from suites.learning.data.examples import Examples

SIDE = 8
PATCH = 2
"""Pixels of an image's side, and of a patch's side: 16 patches of 4 pixels."""
BRIGHTEST = 16.0
"""The largest pixel; the smallest is 0."""
VALIDATION = 4
"""Batches that are not trained on."""


def examples(problem: Problem, seed: int) -> Examples:
    """Patches [batches, B, 16, 4] in an order drawn from the seed; an incomplete batch is dropped.

    Raises ImportError without scikit-learn.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 - of the extra `models`

    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32) / BRIGHTEST
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    whole = order[: len(order) // problem.batch * problem.batch].view(-1, problem.batch)
    return Examples(_patches(images)[whole], torch.tensor(found.target)[whole], VALIDATION)


def _patches(images: torch.Tensor) -> torch.Tensor:
    """[N, 8, 8] as [N, 16, 4]."""
    across = SIDE // PATCH
    cut = images.view(-1, across, PATCH, across, PATCH).transpose(2, 3)
    return cut.reshape(-1, across * across, PATCH * PATCH)
