"""What an implementation sees, read out of its answers and compared exactly with the mask.

With q = k = 0 every visible key weighs the same. V holds one-hot columns, each key in a bucket
drawn at random, so an output times the number of visible keys is the count of them per bucket.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from impls.interface import Problem
from suites.measure.inputs import laid_out

ASSIGNMENTS = 4
"""Independent draws of the buckets: one for each key head, and more calls where heads are few."""
FEW_IN_HALVES = 24
"""Expected count per bucket that a half-precision output still tells apart from its neighbours."""
NAMED_UP_TO = 4096
"""Key lengths up to which single keys are named."""


def differences(function: Callable[..., Tensor], problem: Problem, seed: int) -> str:
    """Where the keys seen differ from the mask, in words; empty when they are the same."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(-(-ASSIGNMENTS // problem.key_heads)):
        buckets = _draw(problem, generator)
        counted = _counts(function, problem, _one_hot(buckets, problem))
        wrong = (counted != _expected_counts(problem, buckets)).any(-1)
        if wrong.any():
            return _in_words(function, problem, wrong)
    return ""


def _draw(problem: Problem, generator: torch.Generator) -> Tensor:
    """A bucket for every key in every key head, [Hk, Tk]; -1 for a key that is left out."""
    shape = (problem.key_heads, problem.key_length)
    buckets = torch.randint(problem.value_size, shape, generator=generator)
    if problem.dtype in ("float16", "bfloat16"):
        share = FEW_IN_HALVES * problem.value_size / problem.key_length
        buckets[torch.rand(shape, generator=generator) > share] = -1
    return buckets


def _one_hot(buckets: Tensor, problem: Problem) -> Tensor:
    """[B, Hk, Tk, D], in float32: one where the key's bucket is the column."""
    hot = (buckets[..., None] == torch.arange(problem.value_size)).float()
    return hot.expand(problem.batch, *hot.shape)


def _counts(function: Callable[..., Tensor], problem: Problem, v: Tensor) -> Tensor:
    """Visible keys per bucket as the implementation has it, [B, Hq, Tq, D]; -1 for no number."""
    out = _answer(function, problem, v)
    visible = _visible_counts(problem)[:, None, :, None]
    # A row that sees nothing is zeros: any share of all keys would show.
    counted = torch.where(visible > 0, visible, float(problem.key_length))
    return (out * counted).round().nan_to_num(-1, -1, -1).long()


def _answer(function: Callable[..., Tensor], problem: Problem, v: Tensor) -> Tensor:
    """The output for q = k = 0 and these values, on the CPU in float64."""
    heads = (problem.query_heads, problem.query_length), (problem.key_heads, problem.key_length)
    q, k = (
        laid_out(torch.zeros(problem.batch, *each, problem.head_dim), problem) for each in heads
    )
    with torch.no_grad():
        return function(q, k, laid_out(v, problem)).cpu().double()


def intervals(problem: Problem) -> Tensor:
    """First and end of the keys that every query sees, [B, Tq, 2]."""
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    offset = problem.key_length - problem.query_length
    return torch.tensor(
        [
            [mask.interval(b, q + offset, problem.key_length) for q in range(problem.query_length)]
            for b in range(problem.batch)
        ]
    )


def _visible_counts(problem: Problem) -> Tensor:
    start, end = intervals(problem).unbind(-1)
    return (end - start).double()


def _expected_counts(problem: Problem, buckets: Tensor) -> Tensor:
    """Visible keys per bucket by the mask, [B, Hq, Tq, D]."""
    hot = (buckets[..., None] == torch.arange(problem.value_size)).long()
    sums = torch.cat([hot.new_zeros(problem.key_heads, 1, problem.value_size), hot.cumsum(1)], 1)
    start, end = intervals(problem).unbind(-1)
    counts = (sums[:, end] - sums[:, start]).transpose(0, 1)
    return counts.repeat_interleave(problem.query_heads // problem.key_heads, dim=1)


def _in_words(function: Callable[..., Tensor], problem: Problem, wrong: Tensor) -> str:
    """One query that differs, with the keys it sees and should see; `wrong` is [B, Hq, Tq]."""
    b, head, row = (int(i) for i in wrong.nonzero()[0])
    start, end = intervals(problem)[b, row].tolist()
    rows = int(wrong.any(0).any(0).sum())
    query = f"query {row} (of {rows} that differ; batch row {b}, head {head})"
    if problem.key_length > NAMED_UP_TO:
        return f"{query} does not see keys {_run(start, end)} as it should"
    seen = _seen_keys(function, problem, b, head, row)
    if seen == list(range(start, end)):
        keys = _run(start, end)
        return f"{query} sees keys {keys} as it should, but weighs them unequally or reads others"
    return f"{query} sees keys {_runs(seen)}, should see {_run(start, end)}"


def _seen_keys(
    function: Callable[..., Tensor], problem: Problem, b: int, head: int, row: int
) -> list[int]:
    """The keys that one query sees, read out with one column of V for each key."""
    seen: list[int] = []
    for first in range(0, problem.key_length, problem.value_size):
        v = torch.zeros(problem.batch, problem.key_heads, problem.key_length, problem.value_size)
        columns = range(min(problem.value_size, problem.key_length - first))
        for column in columns:
            v[:, :, first + column, column] = 1
        out = _answer(function, problem, v)[b, head, row]
        seen += [first + column for column in columns if out[column] != 0]
    return seen


def _runs(keys: list[int]) -> str:
    """Sorted keys as runs: 3..9, 12..12."""
    starts = [key for key in keys if key - 1 not in set(keys)]
    ends = [key + 1 for key in keys if key + 1 not in set(keys)]
    runs = [_run(s, e) for s, e in zip(starts, ends, strict=True)]
    return (
        ", ".join(runs[:3]) + (f" and {len(runs) - 3} more runs" if len(runs) > 3 else "") or "none"
    )


def _run(start: int, end: int) -> str:
    return f"{start}..{end - 1}" if start < end else "none"
