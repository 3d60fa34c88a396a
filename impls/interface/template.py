"""The file that `python run_bench.py new NAME` writes: a correct but slow implementation."""

from __future__ import annotations

import keyword

_TEMPLATE = '''"""{name}: describe the method here, with its source."""

from __future__ import annotations

import torch
from torch import Tensor

from impls.interface import Limits, Mask, implementation


@implementation(
    Limits(
        devices=("cpu", "cuda"),
        masks=("full", "causal", "window"),
        grouped_heads=True,  # fewer key heads than query heads
        unequal_lengths=True,  # Tq != Tk; the last query lines up with the last key
        backward=True,
        own_value_dim=True,  # v with a head dimension of its own
        # biases and optional features need a parameter of that name; see impls/naive.py
    )
)
def {name}(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """q [B, Hq, Tq, D], k [B, Hk, Tk, D], v [B, Hk, Tk, Dv], out [B, Hq, Tq, Dv] in q's dtype."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    hidden = ~mask.dense(len(q), q.shape[2], k.shape[2], q.device)
    scores = (scale * (q @ k.transpose(-1, -2))).masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)  # rows without keys: zeros
    return weights @ v
'''


def template(name: str) -> str:
    """The text of the file of a new implementation. Raises ValueError for an invalid name."""
    own = ("annotations", "torch", "Tensor", "Limits", "Mask", "implementation")
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name) or name in own:
        raise ValueError(
            f"the name {name!r} cannot name a function here; expected one like my_attention"
        )
    return _TEMPLATE.format(name=name)
