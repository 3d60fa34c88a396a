"""Examples in batches whose rows have fixed lengths, so that every batch is the same problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """One batch of a task.

    x       [B, T, ...], pixels or tokens; padding has token 0
    labels  [B], classes
    """

    x: Tensor
    labels: Tensor


class Examples(NamedTuple):
    """The examples of a task.

    x, labels    [batches, B, T, ...] and [batches, B]
    validation   batches at the end that are not trained on
    """

    x: Tensor
    labels: Tensor
    validation: int

    @property
    def trained(self) -> int:
        """The number of batches that are trained on."""
        return len(self.x) - self.validation

    def training(self, steps: int, seed: int) -> Iterator[Batch]:
        """As many batches as steps: every batch once in an order drawn anew, then again."""
        generator = torch.Generator().manual_seed(seed)
        order: list[int] = []
        for _ in range(steps):
            order = order or torch.randperm(self.trained, generator=generator).tolist()
            yield self.batch(order.pop())

    def held_out(self) -> Iterator[Batch]:
        """The batches of validation."""
        return map(self.batch, range(self.trained, len(self.x)))

    def batch(self, place: int) -> Batch:
        """The batch at a place."""
        return Batch(self.x[place], self.labels[place])
