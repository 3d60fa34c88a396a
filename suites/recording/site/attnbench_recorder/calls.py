"""A call of attention as data: what is equal for calls that are counted together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .seen_keys import NO_MASK, Seen

Size = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape [B, H, T, D] and strides of a tensor."""


@dataclass(frozen=True, slots=True)
class Call:
    """The computation of a call.

    by         the function, as "scaled_dot_product_attention"
    q, k, v    shapes and strides, as [B, H, T, D]
    dtype      of the products; under autocast not the dtype of q
    device     kind of device
    seen       the keys that queries see
    scale      factor of the scores; None: 1/sqrt(D)
    softcap    bound of the scores; None: none
    sink       whether a logit per head joins the softmax
    grad       whether gradients were recorded
    threads    of torch
    reason     what the grammar cannot express; empty: nothing
    """

    by: str
    q: Size
    k: Size
    v: Size
    dtype: torch.dtype
    device: str
    seen: Seen = NO_MASK
    scale: float | None = None
    softcap: float | None = None
    sink: bool = False
    grad: bool = False
    threads: int = 1
    reason: str = ""

    def data(self) -> dict[str, Any]:
        """The call as plain data, for the raw file."""
        return {
            "by": self.by,
            "shapes": [_numbers(each[0]) for each in (self.q, self.k, self.v)],
            "strides": [_numbers(each[1]) for each in (self.q, self.k, self.v)],
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": self.device,
            "mask": self.seen.came,
            "left": self.seen.left,
            "right": self.seen.right,
            "padding": self.seen.padding,
            "documents": self.seen.documents,
            "rows": self.seen.rows,
            "bias": self.seen.bias,
            "scale": self.scale,
            "softcap": self.softcap,
            "sink": self.sink,
            "grad": self.grad,
            "threads": self.threads,
            "reason": self.reason or self.seen.reason,
        }


def _numbers(sizes: tuple[int, ...]) -> list[int]:
    """Sizes as plain data; 0 for one that no number says, as a nested tensor has."""
    return [each if type(each) is int else 0 for each in sizes]


def call_of(by: str, tensors: tuple[Tensor, ...], sizes: Any, **more: Any) -> Call:
    """A call with what its tensors and this moment say.

    tensors  that it reads; the first one has its dtype
    sizes    their `Size` each
    more     fields of the call
    """
    first = tensors[0]
    grad = torch.is_grad_enabled() and any(each.requires_grad for each in tensors)
    reason = more.pop("reason", "") or unusable(tensors)
    return Call(
        by,
        q=sizes[0],
        k=sizes[1],
        v=sizes[2],
        dtype=dtype_of(first),
        device=first.device.type,
        grad=grad,
        threads=torch.get_num_threads(),
        reason=reason,
        **more,
    )


def dtype_of(query: Tensor) -> torch.dtype:
    """The dtype of the products: under autocast another than the tensor's."""
    kind = query.device.type
    if not torch.amp.is_autocast_available(kind):
        return query.dtype
    if query.dtype != torch.float64 and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return query.dtype


def unusable(tensors: tuple[Tensor, ...]) -> str:
    """Why these are no plain tensors; empty where they are."""
    for each in tensors:
        if type(each) not in (Tensor, torch.nn.Parameter, torch.nn.Buffer):
            return f"tensors of the class {type(each).__name__}"
        if each.is_nested:
            return "nested tensors"
        if 0 in each.shape:
            return "an empty tensor"
    return ""


def size(tensor: Tensor) -> Size:
    """Shape and strides of a [..., T, D] tensor, as [B, H, T, D]."""
    shape, strides = tuple(tensor.shape), tuple(tensor.stride())
    missing = max(4 - len(shape), 0)
    if missing == 1:  # [B, T, D]: no heads
        shape, strides = (shape[0], 1, *shape[1:]), (strides[0], strides[0], *strides[1:])
    elif missing:
        shape, strides = (1,) * missing + shape, strides[:1] * missing + strides
    return shape, strides


def size_of_bthd(tensor: Tensor) -> Size:
    """Shape and strides of a [B, T, H, D] tensor, as [B, H, T, D]."""
    shape, strides = tensor.shape, tensor.stride()
    b, t, h, d = range(4) if len(shape) == 4 else (0, 1, 1, 2)
    heads = shape[h] if len(shape) == 4 else 1
    return (shape[b], heads, shape[t], shape[d]), tuple(strides[each] for each in (b, h, t, d))
