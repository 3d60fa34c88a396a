"""Numbers of the hard inputs: what q, k and v hold in place of standard-normal numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

RISING: Final = "scores that rise"
"""Scores rise over several blocks of keys, as in a causal mask: the maximum has to be updated."""
TWICE: Final = "scores that rise twice"
"""The same for masks where a row sees half of the keys: the second half starts again."""
LOW: Final = "scores far below zero"
"""Scores about -270: exp of them is 0 in float32, so 0 and -100 are no safe maxima."""
HALF_OF_KEYS: Final = 260
"""Keys after which the scores of `TWICE` start again: half of the 520 keys of these hard inputs."""
HIGHEST: Final = 100.0
"""The largest rising score: exp overflows at 88 in float32. The lowest is its negative, so that the
mean key has no large score."""
LOWEST: Final = -270.0
"""About the scores of `LOW`: exp(LOWEST + 100) is 0 in float32, too."""

Tensors = tuple[Tensor, Tensor, Tensor]


def _one_dominant_key(q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    """Scores above 88, where exp overflows, and one key with nearly all the weight of every row."""
    q, k = 8 * q, 4 * k
    k[:, :, k.shape[2] // 2] = 2 * q.mean((1, 2), keepdim=True).sign()[:, 0]
    q = q + 6 * k[:, :1, k.shape[2] // 2 : k.shape[2] // 2 + 1].sign()
    return q, k, v


def _outliers(q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    """Every 97th number is 30 times as large."""
    return _with_outliers(q), _with_outliers(k), _with_outliers(v)


def _with_outliers(x: Tensor) -> Tensor:
    flat = x.flatten().clone()
    flat[::97] *= 30
    return flat.reshape(x.shape)


def _equal_scores(q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    return q, k[:, :, :1].expand_as(k).clone(), v


def _shifted_column(q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    v = v.clone()
    v[..., 0] += 100
    return q, k, v


def _rising_scores(q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    """Scores from -`HIGHEST` to `HIGHEST` over the keys, at the scale 1/sqrt(D)."""
    return _rising_over(k.shape[2], q, k, v)


def _rising_twice(q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    return _rising_over(HALF_OF_KEYS, q, k, v)


def _rising_over(keys: int, q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    """Scores that rise over so many keys, and then start again."""
    dim = q.shape[3]
    highest = HIGHEST / 4 / dim**0.5
    rise = torch.linspace(-highest, highest, keys)[torch.arange(k.shape[2]) % keys]
    signs = 1 - 2 * (torch.arange(dim) % 2)
    return 4 * signs + q / 8, rise[:, None] * signs + k / 8, v


def _low_scores(q: Tensor, k: Tensor, v: Tensor) -> Tensors:
    """Scores of about `LOWEST` at the scale 1/sqrt(D)."""
    size = (-LOWEST / q.shape[3] ** 0.5) ** 0.5
    return q / 8 + size, k / 8 - size, v


NUMBERS: Final[dict[str, Callable[[Tensor, Tensor, Tensor], Tensors]]] = {
    "one dominant key": _one_dominant_key,
    "outliers": _outliers,
    "equal scores": _equal_scores,
    "a shifted column of v": _shifted_column,
    LOW: _low_scores,
    RISING: _rising_scores,
    TWICE: _rising_twice,
}
"""Functions of standard-normal q, k and v in float32, by the label of the hard input."""
