"""LocalAttention of the package local-attention: window attention in blocks, plain torch.

The sequence is split into blocks of `window_size` tokens. A block sees itself and its neighbours,
and `exact_windowsize` hides the pairs that are too far apart. `window_size` does not count the
query's own key: `window:W` is `window_size=W-1`. Rotary positions are off.

https://github.com/lucidrains/local-attention
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import torch

from impls.interface import (
    AttentionFunction,
    BiasValues,
    Library,
    Limits,
    Problem,
    implementation,
)
from impls.interface.limits import BY_DISTANCE

if TYPE_CHECKING:
    from torch import Tensor

LIBRARY: Final = Library(distribution="local-attention", module="local_attention", extra="peers")
WINDOWS: Final[dict[str, Any]] = {
    "masks": ("window", "window+padding"),
    "biases": BY_DISTANCE,
    "grouped_heads": False,
    "unequal_lengths": False,
    "own_value_dim": True,
}


@implementation(
    Limits(**WINDOWS, windows="causal"), Limits(**WINDOWS, windows="symmetric"), library=LIBRARY
)
def local_attention(problem: Problem) -> AttentionFunction:
    """Window attention of every block with itself and its neighbours."""
    block, reach = _blocks(problem)
    ahead = 0 if problem.mask.right == 0 else reach
    module = LIBRARY.imported().LocalAttention(
        block,
        causal=not ahead,
        look_backward=reach,
        look_forward=ahead,
        autopad=True,
        exact_windowsize=True,
        use_rotary_pos_emb=False,
        scale=problem.softmax_scale,
    )
    return partial(_attend, module, real=_real_keys(problem), keyless=_keyless_rows(problem))


def _blocks(problem: Problem) -> tuple[int, int]:
    """Tokens of a block, and how many blocks a query sees on each side of its own.

    A window longer than the sequence is cut, since the module pads the sequence to whole blocks.
    A block has one token at least: with `window:1` a block of one token sees itself only.
    """
    back = min(problem.mask.left or 1, problem.query_length) - 1
    return (back, 1) if back else (1, 0)


def _real_keys(problem: Problem) -> Tensor | None:
    """The keys that are no padding, [B, T]; None where the causal mask hides all that is appended.

    Without it, a symmetric window sees the zeros that `autopad` appends.
    """
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    if mask.padding is None and mask.right == 0:
        return None
    rows, keys = torch.arange(problem.batch)[:, None], torch.arange(problem.key_length)
    real: Tensor = replace(mask, left=None, right=None).visible(rows, 0, keys)
    return real.expand(problem.batch, problem.key_length).to(problem.device)


def _keyless_rows(problem: Problem) -> Tensor | None:
    """The queries that see no key, [B, 1, T, 1]; None if there are none.

    The module returns the mean of v for them.
    """
    if not problem.has_keyless_rows:
        return None
    length = problem.key_length
    mask = problem.mask.resolved(problem.batch, length)
    keyless = [
        [mask.interval(row, query, length) == (0, 0) for query in range(length)]
        for row in range(problem.batch)
    ]
    return torch.tensor(keyless, device=problem.device)[:, None, :, None]


def _attend(
    module: torch.nn.Module,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    real: Tensor | None,
    keyless: Tensor | None,
    bias: BiasValues | None = None,
) -> Tensor:
    """The module's output, [B, H, T, Dv]; rows without a key are zero."""
    added = None if bias is None else _added(module, bias).to(q.dtype)
    out: Tensor = module(q, k, v, mask=real, attn_bias=added)
    return out if keyless is None else out.masked_fill(keyless, 0.0)


def _added(module: torch.nn.Module, bias: BiasValues) -> Tensor:
    """The bias of a block and the blocks that it sees, [H, block, keys]: equal for all blocks."""
    block: Any = module.window_size
    before: Any = module.look_backward
    after: Any = module.look_forward
    first = before * block
    return bias.between(range(first, first + block), range(first + block + after * block))
