"""A packed batch as a padded one: the baseline of servers before kernels took packed rows.

Each row is copied to a batch row as long as the longest, with padding in front: so that the ends
line up. torch's scaled_dot_product_attention is called once, and its output is packed again. These
copies are inside of the timed call. Where the rows are made of few lengths, little is padding;
beside one long row, the short ones become as long.

Padded queries see every key, and padded keys repeat the first one of their row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import Limits, Mask, Problem, implementation

MASKS: Final = ("rows", "causal+rows", "window+rows")
FEATURES: Final[dict[str, Any]] = {"masks": MASKS, "own_value_dim": True}


@dataclass(frozen=True, slots=True, eq=False)
class Padding:
    """The places of a packed batch of R rows in a padded one.

    queries  packed place of each padded query, [R, longest Tq]
    keys     packed place of each padded key, [R, longest Tk]
    packed   place of each packed query among the R * longest Tq padded ones, [Tq]
    seen     visible pairs, [R, 1, longest Tq, longest Tk]
    """

    queries: Tensor
    keys: Tensor
    packed: Tensor
    seen: Tensor


@implementation(
    Limits(**FEATURES, devices=("cpu", "mps")),
    # torch may choose cuDNN, whose results for queries without keys are not defined.
    Limits(**FEATURES, devices=("cuda",), keyless_rows=False),
)
def sdpa_padded(problem: Problem) -> Callable[..., Tensor]:
    """scaled_dot_product_attention over packed rows that are padded to the longest."""
    padding = padding_of(problem.mask, torch.device(problem.device))
    grouped = problem.query_heads != problem.key_heads

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = scaled_dot_product_attention(
            _padded(q, padding.queries),
            _padded(k, padding.keys),
            _padded(v, padding.keys),
            attn_mask=padding.seen,
            scale=problem.softmax_scale,
            enable_gqa=grouped,
        )
        return out.transpose(0, 1).flatten(1, 2)[:, padding.packed][None]

    return attention


def padding_of(mask: Mask, device: torch.device) -> Padding:
    """The padded form of the rows of a mask."""
    rows = mask.rows or ()
    # Tensors that were made in inference mode would not work in a later training call.
    with torch.inference_mode(mode=False):
        (queries, is_query), (keys, is_key) = (
            _places([row[side] for row in rows], device) for side in (0, 1)
        )
        # Negative positions from the end, which all rows share.
        query, key = (torch.arange(-x.shape[1], 0, device=device) for x in (queries, keys))
        band = mask.of_one_row.visible(0, query[:, None], key)
        seen = (band & is_key[:, None]) | ~is_query[..., None]
        return Padding(queries, keys, is_query.flatten().nonzero().flatten(), seen[:, None])


def _places(lengths: list[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """The packed place of each padded one, and which are no padding; each [R, longest].

    Padding repeats the first place of its row.
    """
    own = torch.tensor(lengths, device=device)[:, None]
    stops = own.cumsum(0)
    places = stops + torch.arange(-max(lengths), 0, device=device)
    return torch.maximum(places, stops - own), places >= stops - own


def _padded(x: Tensor, places: Tensor) -> Tensor:
    """[1, H, T, D] as [R, H, longest, D]."""
    return x[0][:, places].transpose(0, 1)
