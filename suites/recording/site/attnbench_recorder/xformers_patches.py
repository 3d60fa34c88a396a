"""Calls of xformers' memory_efficient_attention. Tensors are [B, T, H, D] there."""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType
from typing import Any, Final

from torch import Tensor

from .calls import Call, call_of, size_of_bthd
from .masks import recognised
from .patching import replace
from .recorder import Recorder
from .sdpa import unexpressed
from .seen_keys import Seen

NAME = "memory_efficient_attention"
BLOCKS: Final[dict[str, int | None]] = {
    "BlockDiagonalMask": None,
    "BlockDiagonalCausalMask": 0,
    "BlockDiagonalCausalFromBottomRightMask": 0,
}
"""Classes of packed sequences, each with the keys ahead that a query sees; None: all."""


def patch(module: ModuleType, recorder: Recorder) -> None:
    """Patch xformers.ops after its import."""
    replace(recorder, module, NAME, recorder.wrapped(getattr(module, NAME), described))


def described(
    recorder: Recorder,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_bias: Any = None,
    p: float = 0.0,
    scale: float | None = None,
    **_: Any,
) -> Call:
    """The call that these arguments make."""
    tensors = query, key, value
    if query.dim() == 5:  # [B, T, G, H, D] with keys of a group expanded over its heads
        return call_of(NAME, tensors, _of_groups(tensors), reason="heads in groups")
    sizes = size_of_bthd(query), size_of_bthd(key), size_of_bthd(value)
    reason = unexpressed(sizes, p)
    (batch, heads, queries, _width), keys = sizes[0][0], sizes[1][0][2]
    wanted = batch, heads, queries, keys
    seen = Seen() if reason else _seen(recorder, attn_bias, wanted)
    return call_of(NAME, tensors, sizes, seen=seen, scale=scale, reason=reason)


def _of_groups(tensors: tuple[Tensor, ...]) -> Any:
    return tuple((tuple(each.shape), tuple(each.stride())) for each in tensors)


def _seen(recorder: Recorder, bias: Any, wanted: tuple[int, int, int, int]) -> Seen:
    """The keys hidden by a bias tensor or by a class of xformers.ops.fmha.attn_bias."""
    if bias is None:
        return Seen()
    if isinstance(bias, Tensor) and type(bias) is Tensor:
        return recorder.masks.of([bias], wanted, lambda: recognised(bias, wanted))
    name = type(bias).__name__
    queries, keys = wanted[2:]
    if name == "LowerTriangularMask":  # its first query lines up with the first key
        reason = "a causal mask with fewer queries than keys" if queries < keys else ""
        return Seen("is_causal", right=max(queries - keys, 0), reason=reason)
    if name == "LowerTriangularFromBottomRightMask":
        return Seen("is_causal", right=0)
    if name in BLOCKS:
        return _of_blocks(bias, right=BLOCKS[name], from_end=name.endswith("FromBottomRightMask"))
    return Seen(name, reason=f"attn_bias {name}")


def _of_blocks(bias: Any, *, right: int | None, from_end: bool) -> Seen:
    """Packed sequences; a causal one lines up the first query and key, unless from the end."""
    queries, keys = (
        tuple(b - a for a, b in pairwise(each.seqstart_py))
        for each in (bias.q_seqinfo, bias.k_seqinfo)
    )
    if queries == keys:
        documents = tuple(length for length in queries if length)
        return Seen("lengths", right=right, documents=documents)
    if right is not None and not from_end:
        return Seen("lengths", reason="causal packed sequences with Tq other than Tk")
    return Seen("lengths", right=right, rows=tuple(zip(queries, keys, strict=True)))
