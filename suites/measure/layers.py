"""Attention inside layers: calls with the dense work of a transformer layer around each.

Large intermediate results of attention slow what runs after it: caches are evicted, and freed pages
fault again. The time of the call alone does not show this. Four layers in a row fault as a script
does; a single one was seen to fault less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Problem
from suites.measure.gradients import GradientMode
from suites.measure.inputs import Inputs
from suites.measure.layer_work import LAYERS, WIDER

Attention = Callable[..., Tensor]
Caches = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer."""
MOST_NEW: Final = 16
"""Queries of a step that adds to a cache, at most."""
MOST_CACHED: Final = 1 << 30
"""Bytes of the caches of all layers, at most; larger ones share the keys of the inputs."""


class Layers:
    """Layers around the attention of a problem, each with weights of its own.

    Each has projections to q, k and v, an output projection, and a feed-forward part of twice the
    width, with residuals. E is Hq * Dv. In training the weights require gradients.

    Where keys have another length than queries, they are projections of a tensor that all layers
    share, as the output of an encoder. In a forward pass of one to MOST_NEW queries, or of packed
    rows, they are a cache: each layer has a copy of the inputs, up to MOST_CACHED bytes together.
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
        self._cached = has_cache(problem)
        self.weights = [[drawn(*shape) for shape in shapes] for _ in range(LAYERS)]
        self.x, self.grad = (drawn(problem.batch, problem.query_length, width) for _ in range(2))
        self.source = None
        if problem.query_length != problem.key_length and not self._cached:
            self.source = drawn(problem.batch, problem.key_length, width)
        for each in self._used:
            each.requires_grad_(problem.training)

    def around(
        self, function: Attention, inputs: Inputs, mode: GradientMode
    ) -> Callable[[], object]:
        """LAYERS layers with a call of attention each; in training, the backward passes, too.

        mode  how gradients are taken, shared with the calls of attention alone
        """
        if inputs.grad is None:
            caches = list(self._caches(inputs)) if self._cached else None
            return lambda: self._forward(function, caches)
        leaves = self._used
        return lambda: mode.gradients(self._output(function, None), leaves, self.grad)

    @property
    def _used(self) -> list[Tensor]:
        """What gradients are taken of: the weights, and the tensor that keys are projections of."""
        return [*chain.from_iterable(self.weights), *([] if self.source is None else [self.source])]

    def _caches(self, inputs: Inputs) -> Iterator[tuple[Tensor, Tensor]]:
        """Keys and values of each layer."""
        k, v = inputs.k, inputs.v
        fit = LAYERS * (k.nbytes + v.nbytes) <= MOST_CACHED
        for _ in range(LAYERS):
            yield (k.clone(), v.clone()) if fit else (k, v)

    def _forward(self, function: Attention, caches: Caches | None) -> Tensor:
        with torch.no_grad():
            return self._output(function, caches)

    def _output(self, function: Attention, caches: Caches | None) -> Tensor:
        """[B, T, E] after all layers."""
        x, heads = self.x, self._problem.key_heads
        for place, (to_q, to_k, to_v, out, wide, narrow) in enumerate(self.weights):
            h = _normed(x)
            q = self._split(functional.linear(h, to_q), self._problem.query_heads)
            if caches is not None:
                k, v = caches[place]
            else:
                source = h if self.source is None else self.source
                k, v = (self._split(functional.linear(source, to), heads) for to in (to_k, to_v))
            x = x + functional.linear(function(q, k, v).transpose(1, 2).flatten(2), out)
            hidden = functional.gelu(functional.linear(_normed(x), wide))
            x = x + functional.linear(hidden, narrow)
        return x

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """[B, T, H * D] as [B, H, T, D], in the layout of the problem."""
        found = x.view(*x.shape[:2], heads, -1).transpose(1, 2)
        return found if self._problem.layout == "bthd" else found.contiguous()


def has_cache(problem: Problem) -> bool:
    """Whether its keys are a cache, to which a step adds few."""
    if problem.training or problem.query_length == problem.key_length:
        return False
    return problem.query_length <= MOST_NEW or problem.mask.rows is not None


def _normed(x: Tensor) -> Tensor:
    """Layer norm without weights."""
    return functional.layer_norm(x, x.shape[-1:])
