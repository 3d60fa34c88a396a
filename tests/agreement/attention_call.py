"""One attention call as a value, so that a test can change a single thing about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impls import reference
from impls.interface import Implementation, Mask
from impls.interface.implementation import from_function


@dataclass(frozen=True, slots=True, eq=False)
class AttentionCall:
    """The arguments of one call.

    bias  anything with BiasValues' `of_pairs`
    """

    q: Tensor
    k: Tensor
    v: Tensor
    mask: Mask
    scale: float
    bias: Any = None
    softcap: float | None = None
    sink: Tensor | None = None

    @property
    def seen(self) -> Tensor:
        """Which keys are seen, [B, 1, Tq, Tk]."""
        sizes = self.q.shape[0], self.k.shape[2]
        rows, keys = (torch.arange(n, device=self.q.device) for n in sizes)
        return reference.visible(self.mask, rows, self.positions, keys)

    @property
    def positions(self) -> Tensor:
        """Of the queries on the keys' axis, [Tq]."""
        first = self.k.shape[2] - self.q.shape[2]
        return torch.arange(first, self.k.shape[2], device=self.q.device)

    @property
    def keys(self) -> Tensor:
        """One head for every query head, [B, Hq, Tk, D]."""
        return self.k.repeat_interleave(self.q.shape[1] // self.k.shape[1], dim=1)

    @property
    def values(self) -> Tensor:
        """One head for every query head, [B, Hq, Tk, Dv]."""
        return self.v.repeat_interleave(self.q.shape[1] // self.v.shape[1], dim=1)

    @property
    def scores(self) -> Tensor:
        """Scaled products with -inf where a key is not seen, [B, Hq, Tq, Tk]."""
        return reference.scores(self.scale * (self.q @ self.keys.mT), seen=self.seen)


Form = Callable[[AttentionCall], Any]


def attend(call: AttentionCall) -> Tensor:
    """The right output."""
    return reference.attention(
        call.q,
        call.k,
        call.v,
        mask=call.mask,
        scale=call.scale,
        bias=call.bias,
        softcap=call.softcap,
        sink=call.sink,
    )


def implementation_of(form: Form) -> Implementation:
    """An implementation of this form, with the same name."""

    def function(q: Tensor, k: Tensor, v: Tensor, **others: Any) -> Any:
        return form(AttentionCall(q, k, v, **others))

    function.__name__ = form.__name__
    return from_function(function)
