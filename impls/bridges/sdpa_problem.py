"""The problem of a call of scaled_dot_product_attention."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from impls.interface import Mask, Problem
from impls.interface.mask import CAUSAL
from impls.interface.problem import DTYPES

PLAIN: Final = (Tensor, torch.nn.Parameter, torch.nn.Buffer)
"""Classes of tensors that every implementation takes."""
DIMENSIONS: Final = 4
"""Of q, k and v: [B, H, T, D]."""


class NotReplacedError(ValueError):
    """A call that is left as it is; the message is the reason."""


def problem_of(  # noqa: PLR0913 - the arguments of the call
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Mask,
    dropout_p: float,
    scale: float | None,
    dtype: torch.dtype,
    *,
    enable_gqa: bool,
    training: bool,
) -> Problem:
    """The problem of a call.

    mask      of the attn_mask or of is_causal
    dtype     of the products: under autocast another than that of q
    training  whether gradients are taken

    Raises NotReplacedError for a call that no problem expresses.
    """
    _expect_plain(q, k, v)
    if dropout_p:
        raise NotReplacedError(f"dropout {dropout_p:g}")
    batch, heads, length, head_dim = q.shape
    key_heads, key_length = k.shape[1:3]
    if heads != key_heads and key_heads > 1 and not enable_gqa:  # one head broadcasts
        raise NotReplacedError("q and k differ in heads without enable_gqa")
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise NotReplacedError(f"dtype {name}")
    try:
        return Problem(
            batch=batch,
            query_heads=heads,
            key_heads=key_heads,
            query_length=length,
            key_length=key_length,
            head_dim=head_dim,
            value_dim=None if v.shape[3] == head_dim else v.shape[3],
            mask=mask,
            scale=_scale(scale, head_dim),
            dtype=name,
            device=q.device.type,
            training=training,
            layout=_layout(q),
        )
    except ValueError as error:
        raise NotReplacedError(str(error)) from None


def causal(q: Tensor, k: Tensor) -> Mask:
    """The mask of is_causal: the first query lines up with the first key.

    Raises NotReplacedError where no mask of the grammar is that one.
    """
    ahead = q.shape[-2] - k.shape[-2]
    if ahead < 0:
        raise NotReplacedError("is_causal with fewer queries than keys: aligned at the first key")
    return Mask(right=ahead) if ahead else CAUSAL


def _expect_plain(q: Tensor, k: Tensor, v: Tensor) -> None:
    for each in (q, k, v):
        if type(each) not in PLAIN or each.is_nested:
            raise NotReplacedError(f"tensors of the class {type(each).__name__}")
        if each.dim() != DIMENSIONS or 0 in each.shape:
            raise NotReplacedError(f"a tensor of the shape {tuple(each.shape)}")
        if each.device != q.device or each.dtype != q.dtype:
            raise NotReplacedError("q, k and v of several devices or dtypes")
    if not (q.shape[0] == k.shape[0] == v.shape[0] and k.shape[1:3] == v.shape[1:3]):
        raise NotReplacedError("shapes that broadcast")


def _scale(scale: float | None, head_dim: int) -> float | None:
    usual = scale is None or math.isclose(scale, head_dim**-0.5, rel_tol=1e-6)
    return None if usual else scale


def _layout(q: Tensor) -> str:
    """Bthd where the heads of one position are neighbours in memory."""
    heads, length = q.shape[1:3]
    return "bthd" if heads > 1 and length > 1 and q.stride(1) < q.stride(2) else "bhtd"
