"""Dense masks as functions of people take them: what an entry means, and how many dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

    from impls.interface.conventions import Reading
    from impls.interface.problem import Problem

MEANINGS: Final = {
    "visible": "bool, True = visible",
    "hidden": "bool, True = hidden",
    "numbers": "numbers, 1 = visible and 0 = hidden",
    "added": "added to the scores, -inf = hidden",
}
"""What a dense mask may mean, in the order in which the meanings are tried."""
MASK_DIMS: Final = (4, 2, 3)
"""Dimensions of a dense mask, in the order in which they are tried: [B or 1, 1, Tq, Tk], [Tq, Tk]
and [B or 1, Tq, Tk]."""


def dense_mask(reading: Reading, problem: Problem) -> Tensor:
    """The dense mask of a problem, in a shape of MASK_DIMS or as [B * H or 1, Tq, Tk]."""
    import torch  # noqa: PLC0415 - the contract imports without torch

    batch, queries, keys = problem.batch, problem.query_length, problem.key_length
    mask = problem.mask.resolved(batch, keys)
    with torch.inference_mode(mode=False):
        seen = mask.dense(batch, queries, keys, torch.device(problem.device))
        seen = _shaped(seen, reading, problem)
        dtype = getattr(torch, problem.dtype)
        if reading.meaning == "visible":
            return seen
        if reading.meaning == "hidden":
            return ~seen
        if reading.meaning == "numbers":
            return seen.to(dtype)
        return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, float("-inf"))


def _shaped(seen: Tensor, reading: Reading, problem: Problem) -> Tensor:
    if reading.mask_dims == 2 and seen.dim() == 2:
        return seen
    rows = seen.reshape(-1, problem.query_length, problem.key_length)
    if reading.layout == "folded":
        return rows if len(rows) == 1 else rows.repeat_interleave(problem.query_heads, 0)
    return rows if reading.mask_dims == 3 else rows[:, None]
