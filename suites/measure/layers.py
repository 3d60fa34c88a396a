"""Attention inside layers: calls with the dense work of a transformer layer around each.

Large intermediate results of attention slow what runs after it: caches are evicted, and freed pages
fault again. The time of the call alone does not show this. Four layers in a row fault as a script
does; a single one was seen to fault less.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Problem
from suites.measure.gradients import GradientMode
from suites.measure.inputs import Inputs, leaves_of
from suites.measure.layer_work import LAYERS, WIDER

Attention = Callable[..., Tensor]


class Layers:
    """Layers around the attention of a problem, each with weights of its own.

    Each has projections to q, k and v, an output projection, and a feed-forward part of twice the
    width, with residuals. E is Hq * Dv. Keys and values of another length are those of the inputs.
    In training the weights require gradients.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        width = problem.query_heads * problem.value_size
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> Tensor:
            x = torch.randn(shape, generator=generator) / width**0.5
            return x.to(problem.device, getattr(torch, problem.dtype))

        columns = (
            problem.query_heads * problem.head_dim,
            problem.key_heads * problem.head_dim,
            problem.key_heads * problem.value_size,
        )
        shapes = [(each, width) for each in columns]
        shapes += [(width, width), (WIDER * width, width), (width, WIDER * width)]
        self._own_keys = problem.query_length == problem.key_length
        self.weights = [[drawn(*shape) for shape in shapes] for _ in range(LAYERS)]
        self.x, self.grad = (drawn(problem.batch, problem.query_length, width) for _ in range(2))
        for each in self._used:
            each.requires_grad_(problem.training)

    def around(
        self, function: Attention, inputs: Inputs, mode: GradientMode
    ) -> Callable[[], object]:
        """LAYERS layers with a call of attention each; in training, the backward passes, too.

        mode  how gradients are taken, shared with the calls of attention alone
        """
        if inputs.grad is None:
            return lambda: self._forward(function, inputs)
        _, *given = leaves_of(inputs)
        leaves = [*self._used, *([] if self._own_keys else given)]

        def train() -> object:
            return mode.gradients(self._output(function, *given), leaves, self.grad)

        return train

    @property
    def _used(self) -> list[Tensor]:
        """The weights; without those of keys and values where the inputs have them."""
        skipped = () if self._own_keys else (1, 2)
        return [x for own in self.weights for place, x in enumerate(own) if place not in skipped]

    def _forward(self, function: Attention, inputs: Inputs) -> Tensor:
        with torch.no_grad():
            return self._output(function, inputs.k, inputs.v)

    def _output(self, function: Attention, k: Tensor, v: Tensor) -> Tensor:
        """[B, T, E] after all layers."""
        x, heads = self.x, self._problem.key_heads
        for to_q, to_k, to_v, out, wide, narrow in self.weights:
            h = _normed(x)
            q = self._split(functional.linear(h, to_q), self._problem.query_heads)
            if self._own_keys:
                k, v = (self._split(functional.linear(h, each), heads) for each in (to_k, to_v))
            x = x + functional.linear(function(q, k, v).transpose(1, 2).flatten(2), out)
            hidden = functional.gelu(functional.linear(_normed(x), wide))
            x = x + functional.linear(hidden, narrow)
        return x

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """[B, T, H * D] as [B, H, T, D], in the layout of the problem."""
        found = x.view(*x.shape[:2], heads, -1).transpose(1, 2)
        return found if self._problem.layout == "bthd" else found.contiguous()


def _normed(x: Tensor) -> Tensor:
    """Layer norm without weights."""
    return functional.layer_norm(x, x.shape[-1:])
