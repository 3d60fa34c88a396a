"""Tensors of calls, kept only where the user wants them: contents of q, k, v and gradients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from .calls import Call

KEPT: Final = ("scaled_dot_product_attention", "flex_attention")
"""Functions whose tensors are kept: theirs are [B, H, T, D]."""


class Kept:
    """Files with the tensors of the first distinct calls.

    folder  where the files go
    limit   distinct calls of this process
    """

    def __init__(self, folder: str, limit: int) -> None:
        self._folder, self._limit = Path(folder), limit
        self._numbers: set[int] = set()

    def wants(self, number: int, call: Call) -> bool:
        """Whether this distinct call is to be kept: it is expressible, has q, k and v, is new."""
        if number in self._numbers or len(self._numbers) >= self._limit:
            return False
        return call.by.partition(" ")[0] in KEPT and not (
            call.reason or call.seen.reason or call.seen.bias
        )

    def keep(self, number: int, call: Call, out: Tensor, args: Any, kwargs: Any) -> None:
        """Keep q, k and v now, and the gradient of the output once it is known."""
        self._numbers.add(number)
        named = dict(zip(("q", "k", "v"), args, strict=False))
        named |= {name[0]: kwargs[name] for name in ("query", "key", "value") if name in kwargs}
        shapes = call.q[0], call.k[0], call.v[0]
        tensors = {
            name: _copied(named[name], shape) for name, shape in zip("qkv", shapes, strict=True)
        }
        path = self._folder / f"kept-{os.getpid()}-{number}.pt"
        torch.save({"call": number, **tensors}, path)

        def with_gradient(grad: Tensor) -> None:
            torch.save({"call": number, **tensors, "grad": grad.detach()}, path)

        if out.requires_grad:
            out.register_hook(with_gradient)  # type: ignore[no-untyped-call] # torch


def _copied(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A copy in the shape that the problem has, with the strides of the original."""
    if tensor.dim() == 4 and shape[1] == 1:  # one head that was expanded
        tensor = tensor[:, :1]
    return tensor.detach().clone().reshape(shape)
