"""A mask and a bias as one tensor that is added to the scores, in the form of a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from impls.interface.bias import BiasValues
    from impls.interface.mask import Mask

ALIGNED: Final = 8
"""Rows of the tensor start at multiples of this many elements, as CUTLASS kernels need it."""
Hiding: TypeAlias = "Callable[..., tuple[Tensor, Tensor]]"


def tensor_bias(
    mask: Mask, bias: BiasValues | None, q: Tensor, k: Tensor, hiding: Hiding
) -> tuple[Tensor, Tensor]:
    """The tensor added to the scores, [B, Hq, Tq, Tk], and the blind queries, [B or 1, 1, Tq, 1].

    hiding  `hidden_pairs`, which a caller may cache: it depends on the problem only

    Blind queries see no key; this tensor lets them see every key. The bias is computed in every
    call, since its values are inputs.
    """
    length, key_length = q.shape[2], k.shape[2]
    added, blind = hiding(mask, (q.shape[0], length, key_length), q.dtype, q.device)
    if bias is not None:
        positions = range(key_length - length, key_length)
        added = added + bias.between(positions, range(added.shape[3])).to(q.dtype)
    return added[..., :key_length].expand(*q.shape[:3], key_length), blind


def hidden_pairs(
    mask: Mask, sizes: tuple[int, int, int], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """-inf at hidden pairs, else 0, [B or 1, 1, Tq, Tk padded to ALIGNED]; and the blind queries.

    sizes   B, Tq and Tk
    """
    import torch  # noqa: PLC0415 - the contract imports without torch

    batch, query_length, key_length = sizes
    with torch.inference_mode(mode=False):  # a cached mask must also work in a later training call
        seen = mask.dense(batch, query_length, key_length, device)
        seen = seen.reshape(-1, 1, query_length, key_length)
        blind = ~seen.any(-1, keepdim=True)
        added = torch.zeros((), dtype=dtype, device=device)
        hidden = torch.nn.functional.pad(~(seen | blind), (0, -key_length % ALIGNED))
        return added.masked_fill(hidden, float("-inf")), blind


def grouped(attn_bias: Tensor, group: int) -> Tensor:
    """The tensor as [B, Hk, Hq // Hk, Tq, Tk].

    unflatten would give a dimension of size 1 another stride, and rows would not be ALIGNED.
    """
    (batch, heads, queries, keys), (of_batch, of_heads, *others) = (
        attn_bias.shape,
        attn_bias.stride(),
    )
    shape = batch, heads // group, group, queries, keys
    return attn_bias.as_strided(shape, (of_batch, of_heads * group, of_heads, *others))
