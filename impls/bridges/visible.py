"""The mask and the bias of a call of an attention layer, from the tensors that a model passes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from impls.bridges.substitution import Recogniser
from impls.interface import BiasValues, Mask
from impls.interface.mask import CAUSAL, FULL


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """Queries and keys of a call, and which keys each query sees.

    q, k, v  [B, H, T, D], without keys after the last one that any query sees
    added    what is added to the scores, [1, Hq or 1, Tq or 1, Tk or 1]; None for nothing
    rows     batch rows that became heads, since each has a bias of its own
    """

    q: Tensor
    k: Tensor
    v: Tensor
    mask: Mask
    added: Tensor | None = None
    rows: int = 1

    @property
    def bias(self) -> BiasValues | None:
        """The same as a dense bias, whose keys are next to each other in memory."""
        if self.added is None:
            return None
        values = self.added[0].expand(self.q.shape[1], self.q.shape[2], self.k.shape[2])
        return BiasValues("dense", values if values.stride(-1) == 1 else values.contiguous())

    def in_batch_rows(self, out: Tensor) -> Tensor:
        """The output with the batch rows of the call, [B, Hq, Tq, Dv]."""
        return out if self.rows == 1 else torch.unflatten(out[0], 0, (self.rows, -1))


def visible_of(
    qkv: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None,
    bias: Tensor | None,
    recognise: Recogniser,
    *,
    causal: bool,
) -> Visible:
    """The mask of a call, with a dense bias for whatever the words of a mask do not express.

    mask    bool (True: seen), or added to the scores; broadcasts to [B, Hq, Tq, Tk]
    bias    added beside the mask; broadcasts likewise
    causal  the mask where there is no tensor

    Raises ValueError for a call that no problem expresses.
    """
    q, k, v = qkv
    if mask is None:
        keys, seen, added = *_without_tensor(q, k, causal=causal), None
    else:
        keys, seen, added = _of_tensor(mask, q, k, recognise)
    if bias is not None:
        cut = _narrow(bias)[..., :keys]
        added = cut if added is None else cut + added
    made = Visible(q, k[:, :, :keys], v[:, :, :keys], seen)
    return made if added is None else _with_bias(made, added)


def _without_tensor(q: Tensor, k: Tensor, *, causal: bool) -> tuple[int, Mask]:
    queries, keys = q.shape[2], k.shape[2]
    if not causal or queries == 1:
        return keys, FULL
    if queries > keys:
        raise ValueError(f"{queries} queries, {keys} keys and is_causal")
    return queries, CAUSAL


def _of_tensor(
    mask: Tensor, q: Tensor, k: Tensor, recognise: Recogniser
) -> tuple[int, Mask, Tensor | None]:
    """The keys in use, the mask, and what the mask adds to scores where no words express it."""
    queries, keys = q.shape[2], k.shape[2]
    if mask.shape[-1] not in (1, keys):
        raise ValueError(f"a mask of {mask.shape[-1]} keys beside {keys}")
    if mask.requires_grad:  # also where it is still zero: it needs a gradient
        return keys, FULL, _narrow(mask)
    seen = recognise(mask, (len(q), q.shape[1], queries, keys))
    if isinstance(seen, str) and mask.shape[-1] == keys and 0 < (used := _used_keys(mask)) < keys:
        # The end of a static cache is not written yet: no query sees it.
        keys, mask = used, mask[..., :used]
        seen = recognise(mask, (len(q), q.shape[1], queries, keys))
    if not isinstance(seen, str):
        return keys, seen, None
    return keys, FULL, _added(_narrow(mask), q.dtype)


def _narrow(x: Tensor) -> Tensor:
    """The tensor with four dimensions, and with one batch row where rows are one expanded row."""
    x = x[(None,) * (4 - x.dim())]
    return x[:1] if x.stride(0) == 0 else x


def _used_keys(mask: Tensor) -> int:
    """Keys up to the last one that any query sees."""
    visible = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    columns = visible.flatten(0, -2).any(0).nonzero()
    return int(columns.max()) + 1 if len(columns) else 0


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask as numbers that are added to scores.

    Half of the least finite number hides a key: the sum with a score is finite in every dtype.
    """
    hides = torch.finfo(dtype).min / 2
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, hides)
    return mask.clamp_min(hides)


def _with_bias(made: Visible, added: Tensor) -> Visible:
    """The call with a bias; batch rows become heads where each has a bias of its own.

    Raises ValueError for such a bias beside padding, which differs between batch rows, too.
    """
    batch, heads, queries = made.q.shape[:3]
    if len(added) == 1:
        return replace(made, added=added)
    if made.mask.padding is not None:
        raise ValueError("a bias for each batch row beside padding, which no problem expresses")
    q, k, v = (x.flatten(0, 1)[None] for x in (made.q, made.k, made.v))
    of_heads = added.expand(batch, heads, queries, -1).flatten(0, 1)[None]
    return replace(made, q=q, k=k, v=v, added=of_heads, rows=batch)
