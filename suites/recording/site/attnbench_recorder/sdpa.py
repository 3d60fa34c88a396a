"""Calls of torch.nn.functional.scaled_dot_product_attention."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor

from .calls import Call, Size, call_of, size
from .masks import recognised
from .recorder import Recorder
from .seen_keys import Seen

NAME = "scaled_dot_product_attention"


def described(  # noqa: PLR0913, PLR0917 - its own parameters
    recorder: Recorder,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002 - its own parameter
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002 - its own parameter
) -> Call | None:
    """The call that these arguments make; None for one that is being traced."""
    tensors = query, key, value
    if type(query).__name__ in ("FakeTensor", "FunctionalTensor"):
        return None
    sizes = size(query), _heads(size(key)), _heads(size(value))
    sizes = (_unfolded(sizes[0]), *sizes[1:]) if not enable_gqa else sizes
    reason = unexpressed(sizes, dropout_p)
    seen = Seen() if reason else _seen(recorder, sizes, attn_mask, is_causal=is_causal)
    return call_of(NAME + only_backend(), tensors, sizes, seen=seen, scale=scale, reason=reason)


def only_backend() -> str:
    """The backend that `sdpa_kernel` or flags leave alone, as " (math)"; empty for several."""
    cuda: Any = torch.backends.cuda
    enabled = {
        "flash": cuda.flash_sdp_enabled,
        "efficient": cuda.mem_efficient_sdp_enabled,
        "math": cuda.math_sdp_enabled,
        "cudnn": cuda.cudnn_sdp_enabled,
    }
    found = [name for name, is_on in enabled.items() if is_on()]
    return f" ({found[0]})" if len(found) == 1 else ""


def unexpressed(sizes: tuple[Size, ...], dropout: float) -> str:
    """The sizes or the dropout that the grammar cannot express; empty where it can."""
    q, k, v = (each[0] for each in sizes)
    if dropout > 0:
        return f"dropout {dropout:g}"
    if len(q) > 4 or len(k) > 4:
        return f"tensors of {max(len(q), len(k))} dimensions"
    if not q[0] == k[0] == v[0] or k[2] != v[2]:
        return "broadcast batches"
    if k[1] != v[1] or q[1] % k[1]:
        return "heads of k and v that differ" if k[1] != v[1] else "broadcast heads"
    return ""


def _heads(found: Size) -> Size:
    """The size with one head where the heads are one head expanded."""
    shape, strides = found
    if len(shape) == 4 and shape[1] > 1 and strides[1] == 0:
        return (shape[0], 1, *shape[2:]), strides
    return found


def _unfolded(query: Size) -> Size:
    """The query heads as the model has them where transformers folds them into Tq.

    transformers hands a single query per head on as [B, Hk, groups, D].
    """
    frame = sys._getframe(4)  # noqa: SLF001 - described, record, recorded, then the caller
    shape, strides = query
    if frame.f_code.co_name != "sdpa_attention_forward" or shape[2] == 1:
        return query
    local = frame.f_locals
    groups = getattr(local.get("module"), "num_key_value_groups", 1)
    if local.get("q_length") != 1 or groups != shape[2]:
        return query
    folded = (shape[0], shape[1] * groups, 1, shape[3])
    return folded, (strides[0], strides[2], strides[2], strides[3])


def _seen(
    recorder: Recorder,
    sizes: tuple[Size, Size, Size],
    mask: Tensor | None,
    *,
    is_causal: bool,
) -> Seen:
    (batch, heads, queries, _), keys = sizes[0][0], sizes[1][0][2]
    if type(mask).__name__ == "CausalBias":
        return _of_causal_bias(mask, queries, keys)
    if mask is not None:
        wanted = batch, heads, queries, keys
        return recorder.masks.of([mask], wanted, lambda: recognised(mask, wanted))
    return causal_from_top(queries, keys) if is_causal else Seen()


def _of_causal_bias(mask: Any, queries: int, keys: int) -> Seen:
    """A causal mask of torch.nn.attention.bias."""
    if mask.variant.name == "LOWER_RIGHT":
        return Seen("is_causal", right=0)
    return causal_from_top(queries, keys)


def causal_from_top(queries: int, keys: int) -> Seen:
    """The keys of a causal mask whose first query lines up with the first key."""
    if queries < keys:
        return Seen("is_causal", reason="is_causal with fewer queries than keys")
    return Seen("is_causal", right=queries - keys)
