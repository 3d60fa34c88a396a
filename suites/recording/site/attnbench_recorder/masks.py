"""Masks and biases that came as tensors, recognised once for each content of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from .seen_keys import Seen, parts_of, ranges_of, rows_of

HIDES: Final = -1e4
"""An additive mask hides a key by this or less: its weight underflows to 0 in every dtype."""
_MANY: Final = 256
"""Recognised masks that are kept; those of freed tensors leave first."""


class Masks:
    """Recognised masks by storage, version and view: layers share the mask of a step."""

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[list[StorageWeakRef], Any]] = {}

    def of(self, tensors: list[Tensor], purpose: Hashable, recognise: Callable[[], Any]) -> Any:
        """The last result of `recognise` for the same content and purpose."""
        if any(each.is_inference() for each in tensors):  # such a tensor has no version
            return recognise()
        key = (purpose, *map(_content, tensors))
        if (found := self._found.get(key)) is not None:
            return found[1]
        # A weak reference keeps the address of a freed storage from being used again.
        storages = [StorageWeakRef(each.untyped_storage()) for each in tensors]  # type: ignore[no-untyped-call] # torch
        self._shrink()
        value = recognise()
        self._found[key] = storages, value
        return value

    def _shrink(self) -> None:
        if len(self._found) < _MANY:
            return
        gone = [key for key, (storages, _) in self._found.items() if any(map(_is_freed, storages))]
        for key in gone or list(self._found)[: _MANY // 2]:
            del self._found[key]


def _is_freed(storage: StorageWeakRef) -> bool:
    return storage.expired()  # type: ignore[no-untyped-call] # torch


def _content(tensor: Tensor) -> Hashable:
    storage = tensor.untyped_storage()._cdata  # noqa: SLF001 - its address, as StorageWeakRef has it
    view = tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype
    return storage, tensor._version, view  # noqa: SLF001 - what autograd counts


def recognised(mask: Tensor, sizes: tuple[int, int, int, int], *, came: str = "") -> Seen:
    """The form of a bool mask (True: seen) or of an additive one.

    mask   broadcasts to [B, H, Tq, Tk]
    sizes  B, Hq, Tq, Tk
    came   how it came, where not as this tensor
    """
    queries, keys = sizes[2:]
    with torch.no_grad():
        view = _view(mask.detach(), keys)
        came = came or ("bool" if mask.dtype == torch.bool else "additive")
        if mask.dtype == torch.bool:
            return _of_visible(view, sizes, came)
        visible = view > HIDES
        seen = _of_visible(visible, sizes, came)
        if seen.reason or bool((view.masked_fill(~visible, 0) == 0).all()):
            return seen
        if _is_alibi(*(each.expand(-1, -1, queries, -1) for each in (view, visible))):
            return replace(seen, bias="alibi")
        return Seen(came, reason="dense bias")


def _view(mask: Tensor, keys: int) -> Tensor:
    """The mask as [B, H, Tq, Tk], with 1 for B, H or Tq where rows, heads or queries are one."""
    while mask.dim() < 4:
        mask = mask.unsqueeze(0)
    for axis in (0, 1, 2):
        if mask.stride(axis) == 0:
            mask = mask.narrow(axis, 0, 1)
    return mask.expand(-1, -1, -1, keys)


def _of_visible(visible: Tensor, sizes: tuple[int, int, int, int], came: str) -> Seen:
    batch, _, queries, _ = sizes
    if visible.shape[1] > 1 and not bool((visible == visible[:, :1]).all()):
        return Seen(came, reason="a mask for each head")
    rows = rows_of(visible[:, 0])
    if rows is not None and visible.shape[2] < queries:  # most masks of padding come like this
        return Seen(came, padding=ranges_of(rows, batch))
    parts = None if rows is None else parts_of(rows, batch)
    return Seen(came, reason="dense mask") if parts is None else Seen(came, **parts)


def _is_alibi(bias: Tensor, visible: Tensor) -> bool:
    """Whether a bias falls by a slope of the head with the distance, within its dtype's rounding.

    A term that is the same for all keys of a query changes nothing, and may differ.
    """
    queries, keys = bias.shape[-2:]
    position = torch.arange(queries, device=bias.device)[:, None] + keys - queries
    away = (position - torch.arange(keys, device=bias.device)).abs()
    if keys < 2 or position[0] < 0:
        return False
    values = bias.double()
    own = values.gather(-1, position.expand(*bias.shape[:2], -1, -1))
    slope = (values[..., -1:, -1:] - values[..., -1:, :1]) / (keys - 1)
    far = torch.finfo(bias.dtype).eps * 2 * values.masked_fill(~visible, 0).abs().amax()
    differs = ((values - own + slope * away).abs() > far) & visible
    return bool((slope > 0).all()) and not bool(differs.any())
