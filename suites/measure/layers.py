"""Attention inside a layer: a call, then dense work as a transformer layer does it.

Large intermediate results of attention slow what runs after it: caches are evicted, and freed pages
fault again. The time of the call alone does not show this.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Problem
from suites.measure.gradients import GradientMode
from suites.measure.inputs import Inputs, leaves_of
from suites.measure.layer_work import WIDER, following_width


class Layer:
    """The dense part of a layer with weights of its own, on the output of attention.

    Output projection, feed-forward part with a residual, and the projections to the next q, k
    and v. E is Hq * Dv. In training the weights require gradients.
    """

    def __init__(self, problem: Problem) -> None:
        width = problem.query_heads * problem.value_size
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> Tensor:
            x = torch.randn(shape, generator=generator) / shape[-1] ** 0.5
            return x.to(problem.device, getattr(torch, problem.dtype))

        following = following_width(problem)
        shapes = ((width, width), (WIDER * width, width), (width, WIDER * width))
        self.weights = [drawn(*shape) for shape in (*shapes, (following, width))]
        self.grad = drawn(problem.batch, problem.query_length, following)
        for each in self.weights:
            each.requires_grad_(problem.training)

    def __call__(self, attended: Tensor) -> Tensor:
        """[B, Hq, T, Dv] to the next q, k and v, [B, T, Hq * D + Hk * (D + Dv)]."""
        out, wide, narrow, following = self.weights
        x = functional.linear(attended.transpose(1, 2).flatten(2), out)
        x = x + functional.linear(functional.gelu(functional.linear(_normed(x), wide)), narrow)
        return functional.linear(_normed(x), following)

    def after(
        self, function: Callable[..., Tensor], inputs: Inputs, mode: GradientMode
    ) -> Callable[[], object]:
        """A call of attention, then this layer; in training, both backward passes, too.

        mode  how gradients are taken, shared with the calls of attention alone
        """
        if inputs.grad is None:
            return lambda: self._forward(function, inputs)
        leaves = leaves_of(inputs)

        def train() -> object:
            return mode.gradients(self(function(*leaves)), [*leaves, *self.weights], self.grad)

        return train

    def _forward(self, function: Callable[..., Tensor], inputs: Inputs) -> Tensor:
        with torch.no_grad():
            return self(function(inputs.q, inputs.k, inputs.v))


def _normed(x: Tensor) -> Tensor:
    """Layer norm without weights."""
    return functional.layer_norm(x, x.shape[-1:])
