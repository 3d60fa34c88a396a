"""Dense masks as functions of people take them: what an entry means, and how many dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from impls.interface.problem import Problem
    from impls.interface.reading import Reading


def dense_mask(reading: Reading, problem: Problem) -> Tensor:
    """The dense mask of a problem, in a shape of MASK_DIMS or as [B * H, Tq, Tk]."""
    import torch  # noqa: PLC0415 - the contract imports without torch

    batch, queries, keys = problem.batch, problem.query_length, problem.key_length
    mask = problem.mask.resolved(batch, keys)
    with torch.inference_mode(mode=False):
        seen = mask.dense(batch, queries, keys, torch.device(problem.device))
        return _shaped(_meant(seen, reading.meaning, problem), reading, problem)


def _meant(seen: Tensor, meaning: str, problem: Problem) -> Tensor:
    """The mask whose entries have this meaning."""
    import torch  # noqa: PLC0415 - the contract imports without torch

    if meaning == "visible":
        return seen
    if meaning == "hidden":
        return ~seen
    dtype = getattr(torch, problem.dtype)
    if meaning == "numbers":
        return seen.to(dtype)
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, float("-inf"))


def _shaped(mask: Tensor, reading: Reading, problem: Problem) -> Tensor:
    """The mask with the dimensions of the reading. A mask of all heads is a view where it can."""
    if reading.mask_dims == 2 and mask.dim() == 2:
        return mask
    rows = mask.reshape(-1, problem.query_length, problem.key_length)
    if reading.layout != "folded":
        return rows if reading.mask_dims == 3 else rows[:, None]
    if len(rows) == 1:
        return rows.expand(problem.batch * problem.query_heads, -1, -1)
    return rows.repeat_interleave(problem.query_heads, 0)
