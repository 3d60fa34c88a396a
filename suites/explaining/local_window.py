"""Sliding chunks of a window: each block of queries reads one strip of keys (arXiv 2004.05150)."""

from __future__ import annotations

from suites.explaining.problem import Explained, blocks
from suites.explaining.steps import Strips


def walk(of: Explained, block: int) -> Strips:
    """The strips of all blocks. Raises ValueError for a mask without a window."""
    problem = of.problem
    mask, keys = problem.mask, problem.key_length
    if mask.left is None:
        raise ValueError(f"the mask {mask} has no window; expected one, as window:6 or window:6:3")
    behind = mask.left - 1  # the left reach counts the query's own key
    ahead = problem.query_length - 1 if mask.right is None else mask.right
    return Strips(
        problem=problem,
        block=block,
        reach=(behind, ahead),
        strips=tuple(
            _clipped(of.position(first) - behind, of.position(end - 1) + ahead + 1, keys)
            for first, end in blocks(problem.query_length, block)
        ),
        visible=tuple(map(of.interval, range(problem.query_length))),
    )


def _clipped(first: int, end: int, keys: int) -> tuple[int, int]:
    """The part of a strip that has keys."""
    low, high = max(0, first), min(keys, end)
    return (low, high) if low < high else (0, 0)
