"""Kernels of torch that xformers and `varlen` call on a CUDA device, for tensors of the stand-in.

They are registered as CPU kernels of the operators `aten::_flash_attention_*` and
`aten::_efficient_attention_*`, which torch has for CUDA only, so that their schemas hold. All
compute densely in float32. The backward passes use the output and the log-sum-exp that they get,
as the kernels do. Sources: flash_attn/flash_api.cpp, flash_attn/mask.h, attention.cu,
attention_backward.cu and mem_eff_attention/kernel_forward.h in ATen/native/transformers/cuda.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

ALIGNED_LSE = 32
"""Queries in a block of the efficient kernel: its log-sum-exp is padded to a multiple, with inf."""
TOP_LEFT, BOTTOM_RIGHT = 1, 2
"""Values of custom_mask_type."""

Part = tuple[slice, slice]
"""Queries and keys of one packed sequence."""


@contextmanager
def kernels_of_torch() -> Iterator[None]:
    """Within this, the operators have kernels."""
    library: Any = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call] # torch's
    for name, kernel in _KERNELS.items():
        library.impl(name, kernel, "CPU")
    yield
    library._destroy()


def _attend(
    qkv: tuple[Tensor, Tensor, Tensor], heads: int, added: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """The output [H, Tq, D] and the log-sum-exp [H, Tq]; rows without a key: zeros and inf."""
    q, k, v = (_rows(x, heads) for x in qkv)
    scores = q @ k.mT * scale + added
    blind = (scores == -torch.inf).all(-1)
    out = scores.masked_fill(blind[..., None], 0.0).softmax(-1).masked_fill(blind[..., None], 0.0)
    return out @ v, scores.logsumexp(-1).masked_fill(blind, torch.inf)


def _gradients(
    grad: Tensor, qkv: tuple[Tensor, Tensor, Tensor], made: tuple[Tensor, Tensor], given: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of q, k and v from the output and the log-sum-exp.

    given  the term of the scores, and the scale
    """
    (q, k, v), (out, lse), (added, scale) = qkv, made, given
    weights = (q @ k.mT * scale + added - lse[..., None]).exp()
    towards = weights * (grad @ v.mT - (grad * out).sum(-1, keepdim=True))
    return towards @ k * scale, towards.mT @ q * scale, weights.mT @ grad


def _rows(x: Tensor, heads: int) -> Tensor:
    """[T, Hk, D] as [H, T, D] in float32."""
    return x.float().transpose(0, 1).repeat_interleave(heads // x.shape[1], 0)


def _band(queries: int, keys: int, left: int, right: int, offset: int) -> Tensor:
    """-inf outside of the band, else 0; a negative reach is unlimited."""
    distance = torch.arange(keys) - torch.arange(queries)[:, None] - offset
    seen = torch.ones(queries, keys, dtype=torch.bool)
    seen = seen & (distance >= -left) if left >= 0 else seen
    seen = seen & (distance <= right) if right >= 0 else seen
    return torch.zeros(queries, keys).masked_fill(~seen, -torch.inf)


def _parts(q: Tensor, k: Tensor, starts: tuple[Tensor | None, Tensor | None]) -> Iterator[Part]:
    if starts[0] is None or starts[1] is None:
        yield slice(0, q.shape[-3]), slice(0, k.shape[-3])
        return
    bounds = zip(*(s.tolist() for s in starts if s is not None), strict=True)
    for (first, key), (last, end) in pairwise(bounds):
        yield slice(first, last), slice(key, end)


def _flash_band(part: Part, causal: bool, window: tuple[int | None, int | None]) -> Tensor:  # noqa: FBT001 - as in torch's schema
    """Bottom-right aligned: mask.h."""
    queries, keys = (x.stop - x.start for x in part)
    left, right = (-1 if reach is None else reach for reach in window)
    return _band(queries, keys, left, 0 if causal else right, keys - queries)


def _flash_forward(  # noqa: PLR0913, PLR0917 - torch's schema
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cum_q: Tensor | None,
    cum_k: Tensor | None,
    max_q: int,
    max_k: int,
    dropout_p: float,
    is_causal: bool,  # noqa: FBT001
    return_debug_mask: bool,  # noqa: FBT001
    *,
    scale: float,
    window_size_left: int | None = None,
    window_size_right: int | None = None,
    **_: Any,
) -> tuple[Tensor, ...]:
    _expect_flash(query, key, value)
    packed, heads = query.dim() == 3, query.shape[-2]
    rows = [(query, key, value)] if packed else list(zip(query, key, value, strict=True))
    out, lse = (
        torch.zeros_like(query),
        torch.full(
            (heads, query.shape[0]) if packed else (len(query), heads, query.shape[1]), torch.inf
        ),
    )
    for place, (q, k, v) in enumerate(rows):
        for part in _parts(q, k, (cum_q, cum_k)):
            added = _flash_band(part, is_causal, (window_size_left, window_size_right))
            of = (q[part[0]], k[part[1]], v[part[1]])
            made = _attend(of, heads, added, scale)
            into, sums = (out, lse) if packed else (out[place], lse[place])
            into[part[0]] = made[0].transpose(0, 1).to(out.dtype)
            sums[:, part[0]] = made[1]
    empty = torch.empty(0)
    return out, lse, torch.zeros(2, dtype=torch.int64), empty.long(), empty


def _flash_backward(  # noqa: PLR0913, PLR0917 - torch's schema
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    cum_q: Tensor | None,
    cum_k: Tensor | None,
    max_q: int,
    max_k: int,
    dropout_p: float,
    is_causal: bool,  # noqa: FBT001
    rng_state: Tensor | None,
    unused: Tensor | None,
    *,
    scale: float,
    window_size_left: int | None = None,
    window_size_right: int | None = None,
) -> tuple[Tensor, ...]:
    _expect_flash(query, key, value)
    packed, heads = query.dim() == 3, query.shape[-2]
    given = (grad_out, query, key, value, out, logsumexp)
    made = tuple(torch.zeros_like(x) for x in (query, key, value))
    rows = [(*given, *made)] if packed else list(zip(*given, *made, strict=True))
    for grad, q, k, v, result, lse, *into in rows:
        for part in _parts(q, k, (cum_q, cum_k)):
            added = _flash_band(part, is_causal, (window_size_left, window_size_right))
            of = (q[part[0]], k[part[1]], v[part[1]])
            found = _gradients(
                _rows(grad[part[0]], heads),
                tuple(_rows(x, heads) for x in of),  # type: ignore[arg-type] # three
                (_rows(result[part[0]], heads), lse[:, part[0]]),
                (added, scale),
            )
            for x, gradient, where in zip(into, found, (part[0], part[1], part[1]), strict=True):
                of_heads = gradient.reshape(x.shape[1], -1, *gradient.shape[1:]).sum(
                    1
                )  # of a group
                x[where] = of_heads.transpose(0, 1).to(x.dtype)
    return made


def _expect_flash(*qkv: Tensor) -> None:
    if any(x.stride(-1) != 1 or x.shape[-1] % 8 or x.shape[-1] > 256 for x in qkv):
        raise RuntimeError("flash: head dimensions are multiples of 8 up to 256, in one piece")
    if qkv[0].dtype not in (torch.float16, torch.bfloat16):
        raise RuntimeError("FlashAttention only support fp16 and bf16 data type")


def _efficient_terms(
    part: Part, kind: int, window: int | None, bias: Tensor | None, dtype: torch.dtype
) -> Tensor:
    queries, keys = (x.stop - x.start for x in part)
    offset = keys - queries if kind == BOTTOM_RIGHT else 0
    left = window - 1 if window else -1
    added = _band(queries, keys, left, 0 if kind else -1, offset)
    if bias is None:
        return added
    if bias.dtype != dtype or any(
        s % (4 if dtype is torch.float32 else 8) for s in bias.stride()[:-1]
    ):
        raise RuntimeError("attn_bias is not correctly aligned")
    return added + bias.float()


def _efficient_forward(  # noqa: PLR0913, PLR0917 - torch's schema
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    cu_seqlens_q: Tensor | None,
    cu_seqlens_k: Tensor | None,
    max_seqlen_q: int | None,
    max_seqlen_k: int | None,
    dropout_p: float,
    custom_mask_type: int,
    compute_log_sumexp: bool = False,  # noqa: FBT001, FBT002
    *,
    scale: float | None = None,
    seqlen_k: Tensor | None = None,
    window_size: int | None = None,
) -> tuple[Any, ...]:
    scale, heads = query.shape[-1] ** -0.5 if scale is None else scale, query.shape[2]
    out = query.new_zeros((*query.shape[:3], value.shape[3]))
    sums: list[Tensor] = []
    longest = query.shape[1] if cu_seqlens_q is None else int(max_seqlen_q or 0)
    for place, (q, k, v) in enumerate(zip(query, key, value, strict=True)):
        for part in _parts(q, k, (cu_seqlens_q, cu_seqlens_k)):
            own = None if bias is None else bias[place]
            added = _efficient_terms(part, custom_mask_type, window_size, own, query.dtype)
            of = (q[part[0]], k[part[1]], v[part[1]])
            made = _attend(of, heads, added, scale)
            out[place, part[0]] = made[0].transpose(0, 1).to(out.dtype)
            padded = -(-longest // ALIGNED_LSE) * ALIGNED_LSE
            sums.append(torch.full((heads, padded), torch.inf))
            sums[-1][:, : made[1].shape[1]] = made[1]
    lse = torch.stack(sums) if compute_log_sumexp else torch.empty(len(sums), heads, 0)
    seed = torch.zeros((), dtype=torch.int64)
    return out, lse, seed, seed.clone(), longest, key.shape[1]


def _efficient_backward(  # noqa: PLR0913, PLR0917 - torch's schema
    grad_out_: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    out: Tensor,
    cu_seqlens_q: Tensor | None,
    cu_seqlens_k: Tensor | None,
    max_seqlen_q: int,
    max_seqlen_k: int,
    logsumexp: Tensor,
    dropout_p: float,
    philox_seed: Tensor,
    philox_offset: Tensor,
    custom_mask_type: int,
    bias_requires_grad: bool,  # noqa: FBT001
    *,
    scale: float | None = None,
    num_splits_key: int | None = None,
    window_size: int | None = None,
    shared_storage_dqdkdv: bool = False,
) -> tuple[Tensor, ...]:
    scale, heads = query.shape[-1] ** -0.5 if scale is None else scale, query.shape[2]
    made, sequence = tuple(torch.zeros_like(x) for x in (query, key, value)), 0
    if logsumexp.shape[2] % ALIGNED_LSE:
        raise RuntimeError("logsumexp is not padded to a multiple of 32")
    for place, (q, k, v) in enumerate(zip(query, key, value, strict=True)):
        for part in _parts(q, k, (cu_seqlens_q, cu_seqlens_k)):
            own = None if bias is None else bias[place]
            added = _efficient_terms(part, custom_mask_type, window_size, own, query.dtype)
            of = (q[part[0]], k[part[1]], v[part[1]])
            found = _gradients(
                _rows(grad_out_[place, part[0]], heads),
                tuple(_rows(x, heads) for x in of),  # type: ignore[arg-type] # three
                (
                    _rows(out[place, part[0]], heads),
                    logsumexp[sequence][:, : part[0].stop - part[0].start],
                ),
                (added, scale),
            )
            sequence += 1
            for x, gradient, where in zip(made, found, (part[0], part[1], part[1]), strict=True):
                x[place, where] = gradient.transpose(0, 1).to(x.dtype)
    return (*made, torch.empty(0))


_KERNELS = {
    "_flash_attention_forward": _flash_forward,
    "_flash_attention_backward": _flash_backward,
    "_efficient_attention_forward": _efficient_forward,
    "_efficient_attention_backward": _efficient_backward,
}
