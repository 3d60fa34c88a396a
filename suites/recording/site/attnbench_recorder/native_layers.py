"""Layers of torch that compute attention without scaled_dot_product_attention.

Their time has projections in it. The attention alone is timed on tensors of the same sizes, after
few of the calls.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .calls import Call, Size, call_of
from .masks import recognised
from .patching import let_script, replace
from .recorder import Recorder
from .seen_keys import Seen

PLAIN_SDPA = torch.nn.functional.scaled_dot_product_attention


def patch(module: ModuleType, recorder: Recorder) -> None:
    """Patch the layers of torch."""
    for name, describe in (
        ("_transformer_encoder_layer_fwd", _of_layer),
        ("_native_multi_head_attention", _of_native),
    ):
        recorded = recorder.wrapped(getattr(module, name), describe, _attention_alone)
        replace(recorder, module, name, recorded)
        let_script(module, recorded, f"aten::{name}")
    replace(recorder, module.nn.MultiheadAttention, "__call__", _calling(recorder))


def _calling(recorder: Recorder) -> Any:
    """The `__call__` of MultiheadAttention: records what no function inside it recorded.

    `forward` stays as it is, since TorchScript compiles its source.
    """

    def __call__(self: torch.nn.MultiheadAttention, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        if torch.compiler.is_compiling() or not recorder.active:
            return torch.nn.Module.__call__(self, *args, **kwargs)
        before = recorder.calls

        def described(recorder: Recorder, *args: Any, **kwargs: Any) -> Call | None:
            return (
                _of_weighted(recorder, self, *args, **kwargs) if recorder.calls == before else None
            )

        def call(*args: Any, **kwargs: Any) -> Any:
            return torch.nn.Module.__call__(self, *args, **kwargs)

        call.is_layer = True  # type: ignore[attr-defined] # functions inside it are recorded
        return recorder.record(call, described, args, kwargs, _attention_alone)

    return __call__


def _of_weighted(  # noqa: PLR0913, PLR0917 - its own parameters
    recorder: Recorder,
    module: torch.nn.MultiheadAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,  # noqa: ARG001 - its own parameter
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,  # noqa: ARG001, FBT001, FBT002 - its own parameter
    attn_mask: Tensor | None = None,
    **_: Any,
) -> Call:
    """A call of MultiheadAttention that returns its weights."""
    batch, queries, keys = _batch_and_lengths(query, key, first=module.batch_first)
    heads, width = module.num_heads, module.head_dim
    sizes = tuple(_size(batch, heads, length, width) for length in (queries, keys, keys))
    reason = f"dropout {module.dropout:g}" if module.training and module.dropout else ""
    if module.bias_k is not None or module.add_zero_attn:
        reason = "bias_kv or add_zero_attn of MultiheadAttention"
    wanted = batch, heads, queries, keys
    masks = [each for each in (key_padding_mask, attn_mask) if each is not None]
    seen = Seen()
    if masks and not reason:
        purpose = wanted, attn_mask is None
        seen = recorder.masks.of(
            masks,
            purpose,
            lambda: recognised(_merged(attn_mask, key_padding_mask, wanted, query.device), wanted),
        )
    tensors = module.out_proj.weight, query
    return call_of("MultiheadAttention", tensors, sizes, seen=seen, reason=reason)


def _batch_and_lengths(query: Tensor, key: Tensor, *, first: bool) -> tuple[int, int, int]:
    if query.dim() == 2:
        return 1, query.shape[0], key.shape[0]
    return (
        (query.shape[0], query.shape[1], key.shape[1])
        if first
        else (query.shape[1], query.shape[0], key.shape[0])
    )


def _merged(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    sizes: tuple[int, int, int, int],
    device: torch.device,
) -> Tensor:
    """Both masks as one additive mask, [B or 1, H or 1, Tq or 1, Tk]. In theirs, True hides."""
    batch, heads, queries, keys = sizes
    total = torch.zeros(1, 1, 1, 1, device=device)
    if attn_mask is not None:
        shape = (batch, heads) if attn_mask.dim() == 3 else (1, 1)
        total = total + _additive(attn_mask).reshape(*shape, queries, keys)
    if key_padding_mask is not None:
        total = total + _additive(key_padding_mask).reshape(batch, 1, 1, keys)
    return total


def _additive(mask: Tensor) -> Tensor:
    mask = mask.detach()
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(mask, float("-inf"))


def _of_layer(
    recorder: Recorder, src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor, *rest: Any
) -> Call:
    """A call of a whole layer of TransformerEncoder. Its mask comes last but one."""
    mask, kind = rest[14:16] if len(rest) >= 16 else (None, None)
    name, widths = "_transformer_encoder_layer_fwd", (embed_dim, num_heads)
    return _of_self(recorder, name, src, widths, qkv_weight, mask, kind)


def _of_native(
    recorder: Recorder,
    query: Tensor,
    key: Tensor,  # noqa: ARG001 - its own parameter
    value: Tensor,  # noqa: ARG001 - its own parameter
    embed_dim: int,
    num_head: int,
    qkv_weight: Tensor,
    *rest: Any,
) -> Call:
    """A call of the fast path of MultiheadAttention."""
    mask, kind = (rest[3] if len(rest) > 3 else None), (rest[6] if len(rest) > 6 else None)
    name, widths = "_native_multi_head_attention", (embed_dim, num_head)
    return _of_self(recorder, name, query, widths, qkv_weight, mask, kind)


def _of_self(
    recorder: Recorder,
    by: str,
    source: Tensor,
    widths: tuple[int, int],
    weight: Tensor,
    mask: Tensor | None,
    kind: int | None,
) -> Call:
    width, heads = widths
    if source.is_nested:
        lengths = source._nested_tensor_size()[:, 0].tolist()  # noqa: SLF001 - its only form
        batch, length = len(lengths), max(lengths)
        seen = Seen("lengths", padding=tuple((0, each) for each in lengths))
        if min(lengths) == length:
            seen = Seen("lengths")
    else:
        batch, length = source.shape[:2]
        wanted = batch, heads, length, length
        seen = Seen()
        if mask is not None:
            seen = recorder.masks.of(
                [mask], (wanted, kind), lambda: recognised(_visible(mask, kind), wanted)
            )
    sizes = (_size(batch, heads, length, width // heads),) * 3
    tensors = (weight,) if source.is_nested else (weight, source)
    return call_of(by, tensors, sizes, seen=seen)


def _visible(mask: Tensor, kind: int | None) -> Tensor:
    """The mask of a native layer as a bool tensor with True for a key that is seen."""
    visible = ~mask.bool()
    return visible[:, None, None, :] if kind == 1 else visible


def _size(batch: int, heads: int, length: int, width: int) -> Size:
    """Of a tensor of heads that the layer makes from its projection, contiguous."""
    shape = batch, heads, length, width
    return shape, (heads * length * width, length * width, width, 1)


def _attention_alone(call: Call) -> Any:
    """A function that computes the attention of a call, on zeros of its sizes."""
    q, k, v = (
        torch.zeros(each[0], dtype=call.dtype, device=call.device)
        for each in (call.q, call.k, call.v)
    )

    def alone() -> Tensor:
        with torch.no_grad():
            if call.device != "cpu":
                return PLAIN_SDPA(q, k, v)
            return torch.softmax(q @ k.transpose(-1, -2), -1) @ v

    return alone
