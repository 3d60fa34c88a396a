"""FlexAttention, compiled: a kernel that skips blocks without a visible key (arXiv 2412.05496).

torch.compile generates a kernel for the sizes, the strides and the number of threads: C++ on a CPU,
Triton on NVIDIA devices. The block mask is made once for a problem, from a dense mask of Tq x Tk.
Each query sees one interval of keys, whatever the mask, so all masks share one `mask_mod` and its
compiled code. Its intervals are tensors; only blocks that are partly visible read them.

On a CPU it needs AVX2 and Linux, and it has no backward pass (_validate_device in
torch/nn/attention/flex_attention.py). It returns no logsumexp there, which a sink needs; so a sink
is refused.

On an NVIDIA H200 forward calls with causal masks and windows agreed, with blocks of 128. The limits
on NVIDIA devices are those of torch's source, 2.11 and 2.13, torch/_inductor/kernel/flex: head
dimensions of 16 and more, which are padded to powers of two. A `block` below the kernel's own tiles
raises an exception there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from impls.interface import AttentionFunction, BiasValues, Limits, Problem, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
_Places = tuple[Tensor, int, int]
"""Where a flat bias has the value of row 0 and key 0 of each head, [Hq], and the steps from a row
to the next, and from a key to the next."""

FEATURES: Final[dict[str, Any]] = {
    "masks": EVERY_MASK,
    "biases": EVERY_BIAS,
    "own_value_dim": True,
    "softcap": True,
}
ON_CUDA: Final[dict[str, Any]] = {
    **FEATURES,
    "devices": ("cuda",),
    "head_dims": range(16, 257),  # tl.dot takes no fewer than 16
    "value_dims": range(16, 257),
}


@implementation(
    Limits(
        **FEATURES,
        devices=("cpu",),
        dtypes=("float32", "float16", "bfloat16"),  # lower_cpu, flex_cpu.py
        backward=False,
    ),
    Limits(**ON_CUDA, dtypes=("float32", "float16"), cuda_capability=(7, 0)),  # Triton's least
    Limits(**ON_CUDA, dtypes=("bfloat16",), cuda_capability=(8, 0)),
    choices={"block": (32, 64, 128, 256)},
    slow_start=True,
)
def flex(problem: Problem, *, block: int = 128) -> AttentionFunction:
    """Attention of generated code that skips blocks without a visible key.

    block  queries and keys of a block of the mask; on a CPU also those of the kernel's loops
    """
    device = torch.device(problem.device)
    # Tensors that were made in inference mode would not work in a later training call.
    with torch.inference_mode(mode=False):
        blocks = _block_mask(problem, block, device)
        distances = torch.arange(1 - problem.query_length, problem.key_length, device=device)
        places = _places(problem, device)

    def attention(q: Tensor, k: Tensor, v: Tensor, bias: BiasValues | None = None) -> Tensor:
        added = None if bias is None else _added(bias, distances)
        compiled = _compiled(torch.get_num_threads())
        return compiled(q, k, v, blocks, problem.softmax_scale, problem.softcap, added, places)

    return attention


def _added(bias: BiasValues, distances: Tensor) -> Tensor:
    """The values of a dense bias, or those of all distances from 1 - Tq to Tk - 1; flat."""
    return (bias.values if bias.kind == "dense" else bias.at(distances)).flatten()


def _places(problem: Problem, device: torch.device) -> _Places:
    """The places of pairs in what `_added` returns."""
    queries, keys = problem.query_length, problem.key_length
    heads = torch.arange(problem.query_heads, device=device)
    if problem.bias.kind == "dense":
        return heads * (queries * keys), keys, 1
    return heads * (queries + keys - 1) + keys - 1, 1, -1


@lru_cache(maxsize=16)
def _compiled(threads: int) -> Callable[..., Tensor]:
    """The compiled function for a number of threads.

    The generated C++ allocates buffers for each thread, and torch recompiles for no other number:
    a call with more threads would write outside of them.
    """
    options: dict[str, Any] = {"cpp.threads": threads}
    compiled: Callable[..., Tensor] = torch.compile(
        _attention, fullgraph=True, dynamic=False, options=options
    )
    return compiled


def _attention(  # noqa: PLR0913, PLR0917 - the inputs of the compiled code
    q: Tensor,
    k: Tensor,
    v: Tensor,
    blocks: BlockMask,
    scale: float,
    softcap: float | None,
    added: Tensor | None,
    places: _Places,
) -> Tensor:
    """The call that is compiled.

    added   values of the bias, flat
    places  where they are in `added`
    """
    origins, down, across = places

    def score_mod(score: Tensor, b: Tensor, h: Tensor, row: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001 - as FlexAttention calls it
        if softcap is not None:
            score = softcap * torch.tanh(score / softcap)
        return score if added is None else score + added[origins[h] + down * row + across * key]

    out: Tensor = flex_attention(
        q,
        k,
        v,
        score_mod=None if softcap is None and added is None else score_mod,
        block_mask=blocks,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return out


def _block_mask(problem: Problem, block: int, device: torch.device) -> BlockMask:
    """The blocks with a visible key, and those whose keys are all visible."""
    return create_block_mask(
        _mask_mod(problem, device),
        None if problem.mask.padding is None else problem.batch,
        None,
        problem.query_length,
        problem.key_length,
        device=device,
        BLOCK_SIZE=block,
    )


def _mask_mod(problem: Problem, device: torch.device) -> MaskMod:
    """Whether a query sees a key, as FlexAttention asks for it."""
    start, end = _intervals(problem, device)
    padding = problem.mask.resolved(problem.batch, problem.key_length).padding

    def visible(b: Tensor, h: Tensor, row: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001 - as FlexAttention calls it
        return (start[row] <= key) & (key < end[row])

    if padding is None:
        return visible
    first, last = torch.tensor(padding, device=device).int().T.contiguous()

    def visible_and_real(b: Tensor, h: Tensor, row: Tensor, key: Tensor) -> Tensor:
        return visible(b, h, row, key) & (first[b] <= key) & (key < last[b])

    return visible_and_real


def _intervals(problem: Problem, device: torch.device) -> tuple[Tensor, Tensor]:
    """The first key that each query sees, and the one after the last; padding aside. [Tq] each."""
    mask, keys = problem.mask, problem.key_length
    position = torch.arange(keys - problem.query_length, keys, device=device)
    start, end = torch.zeros_like(position), torch.full_like(position, keys)
    if mask.rows is not None:
        queries, own = torch.tensor(mask.rows, device=device).T
        last = own.cumsum(0)
        start, end = ((x.repeat_interleave(queries)) for x in (last - own, last))
        shift = last - queries.cumsum(0)
        position = torch.arange(len(position), device=device) + shift.repeat_interleave(queries)
    if mask.left is not None:
        start = start.maximum(position - mask.left + 1)
    if mask.right is not None:
        end = end.minimum(position + mask.right + 1)
    if mask.documents is not None:
        lengths = torch.tensor(mask.documents, device=device)
        ends = lengths.cumsum(0)
        start = start.maximum((ends - lengths).repeat_interleave(lengths))
        end = end.minimum(ends.repeat_interleave(lengths))
    return start.int(), end.int()
