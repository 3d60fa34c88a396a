"""Tensors of calls, kept only where the user wants them: contents of q, k, v and gradients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .calls import Call


class Kept:
    """Files with the tensors of the first distinct calls.

    folder  where the files go
    limit   distinct calls of this process
    """

    def __init__(self, folder: str, limit: int) -> None:
        self._folder, self._limit = Path(folder), limit
        self._numbers: set[int] = set()

    def wants(self, number: int) -> bool:
        """Whether this distinct call is to be kept, and is not yet."""
        return number not in self._numbers and len(self._numbers) < self._limit

    def keep(self, number: int, call: Call, out: Tensor, args: Any, kwargs: Any) -> None:
        """Keep q, k and v now, and the gradient of the output once it is known."""
        self._numbers.add(number)
        named = dict(zip(("q", "k", "v"), args, strict=False))
        named |= {name[0]: kwargs[name] for name in ("query", "key", "value") if name in kwargs}
        tensors = {
            name: each.detach().clone().as_strided(shape, each.stride())
            for (name, each), (shape, _) in zip(
                named.items(), (call.q, call.k, call.v), strict=True
            )
        }
        path = self._folder / f"kept-{os.getpid()}-{number}.pt"
        torch.save({"call": number, **tensors}, path)
        if out.requires_grad:
            out.register_hook(
                lambda grad: torch.save({"call": number, **tensors, "grad": grad.detach()}, path)
            )
