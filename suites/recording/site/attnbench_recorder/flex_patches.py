"""Calls of flex_attention, also of a compiled one."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .calls import Call, call_of, size
from .patching import replace
from .recorder import Recorder
from .sdpa import unexpressed
from .seen_keys import Rows, Seen, parts_of, rows_of

NAME = "flex_attention"
_ROWS = 1 << 22
"""Entries of a mask that are computed at a time."""


def patch(module: ModuleType, recorder: Recorder) -> None:
    """Patch torch.nn.attention.flex_attention after its import."""
    recorded = recorder.wrapped(module.flex_attention, described)
    recorded.describe_flex = described  # type: ignore[attr-defined] # torch.compile looks for it
    replace(recorder, module, NAME, recorded)


def described(  # noqa: PLR0913, PLR0917 - its own parameters
    recorder: Recorder,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: Any = None,
    block_mask: Any = None,
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: ARG001, FBT001, FBT002 - its own parameter
    **_: Any,
) -> Call | None:
    """The call that these arguments make; None for one that is being traced."""
    if type(query).__name__ in ("FakeTensor", "FunctionalTensor"):
        return None
    sizes = size(query), size(key), size(value)
    reason = unexpressed(sizes, 0.0)
    if score_mod is not None and not _is_identity(score_mod):
        reason = f"score_mod {getattr(score_mod, '__name__', score_mod)}"
    seen = Seen() if reason or block_mask is None else _seen(recorder, query, key, block_mask)
    tensors = query, key, value
    return call_of(NAME, tensors, sizes, seen=seen, scale=scale, reason=reason)


def _is_identity(score_mod: Any) -> bool:
    return getattr(score_mod, "__name__", "") == "_identity"


def _seen(recorder: Recorder, query: Tensor, key: Tensor, block_mask: Any) -> Seen:
    """The keys of a block mask, found once for each block mask."""
    sizes = query.shape[0], query.shape[2], key.shape[2]
    tensors = [block_mask.kv_indices]
    return recorder.masks.of(
        tensors, (sizes, block_mask.mask_mod), lambda: _recognised(query, block_mask, sizes)
    )


def _recognised(query: Tensor, block_mask: Any, sizes: tuple[int, int, int]) -> Seen:
    came = "block mask"
    batch, queries, keys = sizes
    rows, heads = block_mask.shape[:2]
    found: list[Rows] = []
    with torch.no_grad():
        for head in range(heads):
            part = _rows_of_head(block_mask.mask_mod, head, (rows, queries, keys), query.device)
            if part is None:
                return Seen(came, reason="dense mask")
            found.append(part)
    first = found[0]
    if any(not _equal(each, first) for each in found):
        return Seen(came, reason="a mask for each head")
    parts = parts_of(first, batch)
    return Seen(came, reason="dense mask") if parts is None else Seen(came, **parts)


def _equal(one: Rows, other: Rows) -> bool:
    return torch.equal(one.starts, other.starts) and torch.equal(one.ends, other.ends)


def _rows_of_head(
    mask_mod: Any, head: int, sizes: tuple[int, int, int], device: torch.device
) -> Rows | None:
    """The intervals of one head, computed for a part of the queries at a time."""
    found = []
    for visible in _visible(mask_mod, head, sizes, device):
        part = rows_of(visible, collapse=False)
        if part is None:
            return None
        found.append(part)
    starts, ends = (torch.cat([getattr(p, n) for p in found], 1) for n in ("starts", "ends"))
    if bool((starts == starts[:1]).all() & (ends == ends[:1]).all()):
        starts, ends = starts[:1], ends[:1]
    return Rows(starts, ends, sizes[2])


def _visible(
    mask_mod: Any, head: int, sizes: tuple[int, int, int], device: torch.device
) -> Iterator[Tensor]:
    batch, queries, keys = sizes
    rows = torch.arange(batch, device=device)[:, None, None]
    every = torch.arange(queries, device=device)
    heads = torch.tensor(head, device=device)
    columns = torch.arange(keys, device=device)[None, None, :]
    step = max(_ROWS // (batch * keys), 1)
    for start in range(0, queries, step):
        some = every[start : start + step]
        visible = mask_mod(rows, heads, some[None, :, None], columns)
        yield visible.expand(batch, len(some), keys)
