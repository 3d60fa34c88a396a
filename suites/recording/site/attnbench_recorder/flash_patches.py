"""Calls of the functions of flash_attn. Tensors are [B, T, H, D] there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from itertools import pairwise
from types import ModuleType
from typing import Any

from torch import Tensor

from .calls import Call, Size, call_of, size_of_bthd
from .patching import replace
from .recorder import Recorder
from .sdpa import unexpressed
from .seen_keys import Seen

Given = dict[str, Any]
"""Arguments by name."""


def patch(module: ModuleType, recorder: Recorder) -> None:
    """Patch the functions that the module has and that are not patched yet."""
    for name, tensors in TENSORS.items():
        function = getattr(module, name, None)
        if callable(function) and not hasattr(function, "original"):
            describe = partial(_described, name, tensors, signature(function))
            replace(recorder, module, name, recorder.wrapped(function, _Described(describe)))


class _Described:
    """A description with the recorder first, as `Recorder.wrapped` calls it."""

    def __init__(self, describe: Callable[..., Call]) -> None:
        self._describe = describe

    def __call__(self, recorder: Recorder, *args: Any, **kwargs: Any) -> Call:
        return self._describe(recorder, args, kwargs)


def _described(
    name: str,
    tensors: Callable[[Given], tuple[Tensor, Tensor, Tensor]],
    of: Any,
    recorder: Recorder,
    args: Any,
    kwargs: Any,
) -> Call:
    bound = of.bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    q, k, v = tensors(given)
    batched = (each if each.dim() == 4 else each.unsqueeze(0) for each in (q, k, v))  # [T, H, D]
    sizes = tuple(map(size_of_bthd, batched))
    reason = _unexpressed(name, given) or unexpressed(sizes, given.get("dropout_p") or 0.0)
    seen = Seen()
    if not reason:
        seen = _seen(recorder, given, sizes)
    return call_of(
        name,
        (q, k, v),
        sizes,
        seen=seen,
        scale=given.get("softmax_scale"),
        softcap=given.get("softcap") or None,
        reason=reason,
    )


def _unexpressed(name: str, given: Given) -> str:
    if given.get("block_table") is not None:
        return "a paged cache of keys"
    if name == "flash_attn_with_kvcache":
        if given.get("k") is not None:
            return "a cache of keys that grows within the call"
        if given.get("cache_seqlens") is not None and given["q"].shape[1] != 1:
            return "several queries with lengths of a cache"
    return ""


def _seen(recorder: Recorder, given: Given, sizes: tuple[Size, ...]) -> Seen:
    """Band, documents or lengths of a call; causal lines up the last query and the last key."""
    left, right = given.get("window_size") or (-1, -1)
    reach = None if left is None or left < 0 else left + 1
    ahead = 0 if given.get("causal") else None if right is None or right < 0 else right
    came = "none" if reach is None and ahead is None else "is_causal"
    bias = "" if given.get("alibi_slopes") is None else "alibi"
    parts: dict[str, Any] = {"left": reach, "right": ahead, "bias": bias}
    if "cu_seqlens_q" in given or "cu_seqlens" in given:
        return _packed(recorder, given, parts)
    lengths = given.get("cache_seqlens")
    if lengths is not None:
        batch = sizes[0][0][0]
        ends = _values(recorder, lengths) if isinstance(lengths, Tensor) else (lengths,) * batch
        parts = {"bias": bias, "padding": tuple((0, end) for end in ends)}
        if reach is not None:
            return Seen("lengths", reason="a window with lengths of a cache")
        came = "lengths"
    return Seen(came, **parts)


def _packed(recorder: Recorder, given: Given, parts: dict[str, Any]) -> Seen:
    queries: Any = given.get("cu_seqlens_q", given.get("cu_seqlens"))
    keys = given.get("cu_seqlens_k", queries)
    lengths, of_keys = (_lengths(_values(recorder, each)) for each in (queries, keys))
    if lengths == of_keys:
        return Seen("lengths", **parts, documents=tuple(each for each in lengths if each))
    return Seen("lengths", **parts, rows=tuple(zip(lengths, of_keys, strict=True)))


def _lengths(ends: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(b - a for a, b in pairwise(ends))


def _values(recorder: Recorder, tensor: Tensor) -> tuple[int, ...]:
    """The values of a tensor of lengths, read once for each content."""
    return recorder.masks.of([tensor], "values", lambda: tuple(tensor.tolist()))


TENSORS: dict[str, Callable[[Given], tuple[Tensor, Tensor, Tensor]]] = {
    "flash_attn_func": lambda given: (given["q"], given["k"], given["v"]),
    "flash_attn_varlen_func": lambda given: (given["q"], given["k"], given["v"]),
    "flash_attn_qkvpacked_func": lambda given: given["qkv"].unbind(2),
    "flash_attn_kvpacked_func": lambda given: (given["q"], *given["kv"].unbind(2)),
    "flash_attn_varlen_qkvpacked_func": lambda given: given["qkv"].unbind(1),
    "flash_attn_varlen_kvpacked_func": lambda given: (given["q"], *given["kv"].unbind(1)),
    "flash_attn_with_kvcache": lambda given: (given["q"], given["k_cache"], given["v_cache"]),
}
"""Functions, each with q, k and v of its arguments."""
