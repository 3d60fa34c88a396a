"""torch.nn.attention.varlen: FlashAttention-2 on packed sequences (arXiv 2307.08691).

Queries and keys of all sequences are in a row, [sequences' length, H, D], without padding: this is
how models with documents or padding avoid work on hidden keys. It runs on NVIDIA devices only.
On an H200 causal masks and windows agreed, and causal in training. Its whole check, with documents
and padding, runs on an emulation of torch's kernel (tests/stand_in/kernels.py): how this file calls
the kernel is tested there, the kernel itself is not.

The starts of the sequences are made while preparing. Copies that the packing needs are inside of
the timed call: of q, k and v for a batch of contiguous [B, H, T, D], of the visible keys for
padding. Queries after right-padded keys are a second call. The backward pass is the one that torch
registers for its operator `torch_attn::_varlen_attn`.

Limits are those of mha_varlen_fwd and mha_varlen_bwd in torch's source, under
aten/src/ATen/native/transformers/cuda/flash_attn/flash_api.cpp: half precision, compute capability
8.0, head dimensions that are multiples of 8 up to 256. Grouped heads are a parameter of torch 2.13
and not of 2.11. There is no bias, softcap or sink.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from torch import Tensor

from impls.interface import Limits, Problem, implementation
from impls.interface.packed import PACKABLE, Pack, attend_packed, packs_of

MODULE: Final = "torch.nn.attention.varlen"
LARGEST_GRID: Final = 65535
"""Blocks of a CUDA grid in its second dimension, which counts sequences:
run_flash_fwd, flash_fwd_launch_template.h."""


def _has(parameter: str) -> bool:
    """Whether varlen_attn of this torch has a parameter, by its source: importing it takes 2 s."""
    spec = importlib.util.find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise ImportError(f"this torch has no {MODULE}; it needs torch 2.11 or later")
    return f"{parameter}:" in Path(spec.origin).read_text()


@implementation(
    Limits(
        devices=("cuda",),
        dtypes=("float16", "bfloat16"),
        masks=PACKABLE,
        head_dims=range(8, 257, 8),
        grouped_heads=_has("enable_gqa"),
        cuda_capability=(8, 0),
        most_batch=LARGEST_GRID,
        # check_requires_grad_and_head_dim_gt192_constraints_on_sm86_89_or_120, cuda/sdp_utils.cpp
        forward_only_dims=range(193, 225),
        forward_only_on=("8.6", "8.7", "8.9", "12.0", "12.1"),
    ),
    slow_start=True,
    ran_on="NVIDIA H200, 2026-11-29",
    layout="bthd",
)
def varlen(problem: Problem) -> Callable[..., Tensor]:
    """FlashAttention-2 of torch on packed sequences; padding and documents cost nothing."""
    from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415 - it takes 2 s

    grouped: dict[str, Any] = (
        {"enable_gqa": True} if problem.query_heads != problem.key_heads else {}
    )

    def kernel(q: Tensor, k: Tensor, v: Tensor, pack: Pack) -> Tensor:
        before, after = (-1 if reach is None else reach for reach in pack.window)
        return cast(
            "Tensor",
            varlen_attn(
                q,
                k,
                v,
                pack.query_starts,
                pack.key_starts,
                pack.longest_query,
                pack.longest_key,
                scale=problem.softmax_scale,
                window_size=(before, after),
                **grouped,
            ),
        )

    return partial(attend_packed, packs=packs_of(problem), kernel=kernel)
