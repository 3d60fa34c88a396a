"""Multi-head attention layers: projections around an attention (arXiv 1706.03762, 3.2.2).

`MultiHeadAttention` is the layer, an nn.Module around any attention of this folder. `multi_head` is
the same layer behind the shared interface, with weights that depend on the widths only.
`torch_multi_head` is torch.nn.MultiheadAttention with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor, nn, unflatten

from impls.interface import FULL, AttentionFunction, BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.positions import rotated, with_sinusoids

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
_PLAIN: Final = Limits(masks=EVERY_MASK, biases=EVERY_BIAS, softcap=True, sink=True)
ENCODINGS: Final = {
    "none": (_PLAIN,),
    "rotary": (replace(_PLAIN, head_dims=range(2, 1025, 2)),),
    "sinusoidal": (_PLAIN,),
}
"""Positions of a layer, with its limits for each."""
Inner = Callable[..., AttentionFunction]
OF_TORCH: Final[dict[str, Any]] = {"grouped_heads": False, "own_scale": False}
"""Limits of torch.nn.MultiheadAttention on every device."""


class MultiHeadAttention(nn.Module):
    """A layer: projects q, k and v, attends in heads, merges the heads and projects the output.

    width      E, of input and output activations
    heads      of queries and keys; fewer key heads are grouped-query attention (arXiv 2305.13245)
    inner      `inner(mask=..., scale=...)` returns a function of q, k and v, like `chunked.bound`
    positions  `rotary` turns queries and keys (arXiv 2104.09864), `sinusoidal` is added to the
               activations (arXiv 1706.03762, section 3.5); `none`

    Raises ValueError for sizes that do not divide, and for unknown positions.
    """

    def __init__(
        self, width: int, heads: tuple[int, int], inner: Inner, *, positions: str = "none"
    ) -> None:
        super().__init__()
        if width % heads[0] or heads[0] % heads[1]:
            raise ValueError(
                f"width {width} in {heads[0]} heads over {heads[1]} key heads; expected a width "
                "that divides by the heads, and heads that divide by the key heads"
            )
        if positions not in ENCODINGS:
            raise ValueError(f"positions {positions!r}; expected one of {', '.join(ENCODINGS)}")
        head_dim = width // heads[0]
        if positions == "rotary" and head_dim % 2:
            raise ValueError(f"rotary: head dimension {head_dim}, expected an even one")
        self.heads, self.inner, self.positions = heads, inner, positions
        self.scale = head_dim**-0.5
        self.wq, self.wk, self.wv, self.wo = (
            nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, columns)))
            for columns in (width, heads[1] * head_dim, heads[1] * head_dim, width)
        )

    def forward(self, x: Tensor, context: Tensor | None = None, *, mask: Mask = FULL) -> Tensor:
        """Attend from `x` [B, Tq, E] to `context` [B, Tk, E], or to `x` itself.

        out    [B, Tq, E]
        """
        context = x if context is None else context
        attention = self.inner(mask=mask, scale=self.scale)
        weights = self.wq, self.wk, self.wv, self.wo
        return _layer((x, context, context), weights, self.heads, attention, self.positions)


@lru_cache(maxsize=2)
def orthogonal_projections(query_width: int, key_width: int) -> Weights:
    """Weights of q, k, v and out, float64 on the CPU; a projection is `x @ weight`.

    Weights of q and out are [query_width, query_width], of k and v [key_width, key_width]; the
    widths are the seed. Orthogonal matrices preserve norms and so the spread of the scores. Each is
    a Hartley matrix, cos + sin of 2 pi jk / width, with permuted rows and columns and random signs.
    """
    generator = torch.Generator().manual_seed(query_width * 1_000_003 + key_width)

    def orthogonal(width: int) -> Tensor:
        rows, columns = (torch.randperm(width, generator=generator) for _ in range(2))
        angles = torch.arange(width, dtype=torch.float64) * (2 * torch.pi / width)
        entries = (angles.cos() + angles.sin()) / width**0.5
        signs = torch.randint(2, (2, width), generator=generator).double() * 2 - 1
        return entries[rows[:, None] * columns % width] * signs[0][:, None] * signs[1]

    with torch.inference_mode(mode=False):  # cached tensors must also work in a later training call
        wq, wo = orthogonal(query_width), orthogonal(query_width)
        return wq, orthogonal(key_width), orthogonal(key_width), wo


@implementation(
    # The limits of the inner attention apply too; optional arguments go to it only.
    _PLAIN,
    projections=orthogonal_projections,
    choices={"positions": ENCODINGS},
)
def multi_head(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    inner: Inner,
    positions: str = "none",
) -> Tensor:
    """Attention in a layer, on activations of merged heads.

    q       [B, Hq, Tq, D], merged to activations [B, Tq, Hq * D]
    k, v    [B, Hk, Tk, D], merged to [B, Tk, Hk * D]
    out     [B, Hq, Tq, D], the output of the layer, split into heads
    """
    return _around(q, k, v, inner(mask=mask, scale=scale), positions)


@implementation(
    Limits(devices=("cpu", "mps"), masks=EVERY_MASK, biases=EVERY_BIAS, **OF_TORCH),
    # On CUDA torch may pick cuDNN, which documents no result for queries that see no key. Those of
    # a band are left out below; those of padding and of rows are not.
    Limits(
        devices=("cuda",),
        masks=tuple(k for k in EVERY_MASK if "padding" not in k and "rows" not in k),
        biases=EVERY_BIAS,
        **OF_TORCH,
    ),
    Limits(devices=("cuda",), masks=EVERY_MASK, biases=EVERY_BIAS, keyless_rows=False, **OF_TORCH),
    projections=orthogonal_projections,
)
def torch_multi_head(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, bias: BiasValues | None = None
) -> Tensor:
    """torch.nn.MultiheadAttention with the weights and shapes of `multi_head`.

    Padding is passed as `key_padding_mask`, other masks as `attn_mask`: bool, or with a bias in the
    dtype of the queries.
    """
    layer = _torch_layer(q.shape[1], q.shape[3], q.dtype, q.device)
    # torch does not define the output of queries without keys, so the first ones are left out.
    first_are_blind = mask.right is not None and mask.rows is None
    blind = max(0, q.shape[2] - k.shape[2] - (mask.right or 0)) if first_are_blind else 0
    padded, hidden = _hidden(mask, (q.shape[0], q.shape[2] - blind, k.shape[2]), q.device)
    if bias is not None:
        hidden = _biased(bias, hidden, q[:, :, blind:], k.shape[2])
        padded = None if padded is None else _added(padded, q.dtype)  # torch needs equal types
    out, _ = layer(
        _merged(q[:, :, blind:]),
        _merged(k),
        _merged(v),
        key_padding_mask=padded,
        attn_mask=hidden,
        # With it torch does not read the dense mask.
        is_causal=bias is None and mask.kind == "causal" and q.shape[2] - blind == k.shape[2],
        need_weights=False,
    )
    return _split(nn.functional.pad(out, (0, 0, blind, 0)) if blind else out, q.shape[1])


def _around(
    q: Tensor, k: Tensor, v: Tensor, attention: AttentionFunction, positions: str
) -> Tensor:
    """The layer with orthogonal weights, on q, k and v that are merged before and split after."""
    activations = _merged(q), _merged(k), _merged(v)
    weights = _cast(activations[0].shape[2], activations[1].shape[2], q.dtype, q.device)
    heads = q.shape[1], k.shape[1]
    return _split(_layer(activations, weights, heads, attention, positions), heads[0])


def _layer(
    activations: tuple[Tensor, Tensor, Tensor],
    weights: Weights,
    heads: tuple[int, int],
    attention: AttentionFunction,
    positions: str,
) -> Tensor:
    """Project, split into heads, attend, merge and project again: [B, Tq, E].

    The last query has the position of the last key.
    """
    split_into = (heads[0], heads[1], heads[1])
    encoded = _encoded(activations, positions)
    q, k, v = (
        _split(x @ weight, count)
        for x, weight, count in zip(encoded, weights[:3], split_into, strict=True)
    )
    if positions == "rotary":
        q, k = rotated(q, k.shape[2] - q.shape[2]), rotated(k)
    return _merged(attention(q, k, v)) @ weights[3]


def _encoded(
    activations: tuple[Tensor, Tensor, Tensor], positions: str
) -> tuple[Tensor, Tensor, Tensor]:
    """The activations with sinusoids added; unchanged for other positions."""
    if positions != "sinusoidal":
        return activations
    q, k, v = activations
    first = k.shape[1] - q.shape[1]
    return with_sinusoids(q, first), with_sinusoids(k), with_sinusoids(v)


def _merged(x: Tensor) -> Tensor:
    """[B, H, T, D] as [B, T, H * D]."""
    return x.transpose(1, 2).flatten(2)


def _split(x: Tensor, heads: int) -> Tensor:
    """[B, T, H * D] as [B, H, T, D]."""
    return unflatten(x, 2, (heads, -1)).transpose(1, 2)


@lru_cache(maxsize=1)
def _cast(query_width: int, key_width: int, dtype: torch.dtype, device: torch.device) -> Weights:
    wq, wk, wv, wo = orthogonal_projections(query_width, key_width)
    with torch.inference_mode(mode=False):
        return (
            wq.to(device, dtype),
            wk.to(device, dtype),
            wv.to(device, dtype),
            wo.to(device, dtype),
        )


@lru_cache(maxsize=1)
def _torch_layer(
    heads: int, head_dim: int, dtype: torch.dtype, device: torch.device
) -> nn.MultiheadAttention:
    width = heads * head_dim
    wq, wk, wv, wo = orthogonal_projections(width, width)
    with torch.inference_mode(mode=False):
        layer = nn.MultiheadAttention(
            width, heads, bias=False, batch_first=True, dtype=dtype, device="meta"
        ).to_empty(device=device)
        # torch projects by x @ weight.T
        stacked = torch.cat((wq.T, wk.T, wv.T))
        layer.load_state_dict({"in_proj_weight": stacked, "out_proj.weight": wo.T})
        return layer.requires_grad_(requires_grad=False).eval()


@lru_cache(maxsize=1)
def _hidden(
    mask: Mask, sizes: tuple[int, int, int], device: torch.device
) -> tuple[Tensor | None, Tensor | None]:
    """Keys hidden by padding [B, Tk], pairs hidden by other parts [Tq, Tk]; None for none.

    sizes  B, Tq and Tk
    """
    batch, query_length, key_length = sizes
    padding, others = Mask(padding=mask.padding), replace(mask, padding=None)
    with torch.inference_mode(mode=False):
        return (
            None if padding.is_full else ~padding.dense(batch, 1, key_length, device)[:, 0, 0],
            None if others.is_full else ~others.dense(1, query_length, key_length, device),
        )


def _biased(bias: BiasValues, hidden: Tensor | None, q: Tensor, key_length: int) -> Tensor:
    """The bias, -inf at hidden pairs, [B * H, Tq, Tk]; computed in every call."""
    added = bias.between(range(key_length - q.shape[2], key_length), range(key_length)).to(q.dtype)
    if hidden is not None:
        added = added.masked_fill(hidden, float("-inf"))
    return added.repeat(q.shape[0], 1, 1)


def _added(hidden: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, float("-inf"))
