"""The visible keys of every query are exactly those of the mask, read out of the outputs.

With q = k = 0 every visible key has the same weight. v holds one-hot columns: each key is in a
random bucket. An output over the weight of a key is then the number of visible keys per bucket.

A function with a reference of its own may give keys another weight, see `key_weights`. Where the
reference gives the keys of a row several weights, it is perturbed instead.

Layers and approximations are left out. Projections mix one-hot columns, and an approximation gives
hidden keys a small weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from impls.interface import Bias, Implementation, Problem
from suites.agreement.cases import Case
from suites.agreement.hard_inputs import accepts
from suites.agreement.key_weights import (
    KeyWeight,
    constant_queries_and_keys,
    key_weight,
    neutral,
)
from suites.agreement.trial import Probe, Trial
from suites.agreement.visible_keys import visible_intervals
from suites.measure.inputs import laid_out

ASSIGNMENTS: Final = 4
"""Independent draws of the buckets: one per key head, and more calls where key heads are few."""
HALF_PRECISION_COUNT: Final = 24
"""Expected count per bucket in half precision: bfloat16 still resolves neighbouring counts."""
NAMED_UP_TO: Final = 4096
"""Key length up to which a message names single keys."""
ATTENTION: Final = KeyWeight(0.0)
"""The weight of a key in attention with q = k = 0: one over the number of visible keys."""


def differences(
    function: Callable[..., Tensor], problem: Problem, seed: int, weight: KeyWeight = ATTENTION
) -> str:
    """The first query whose visible keys differ from the mask, as text; empty: none."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(-(-ASSIGNMENTS // problem.key_heads)):
        buckets = _draw(problem, generator)
        counted = _counts(function, problem, _one_hot(buckets, problem), weight)
        wrong = (counted != _expected_counts(problem, buckets)).any(-1)
        if wrong.any():
            return _message(function, problem, wrong, weight)
    return ""


def _draw(problem: Problem, generator: torch.Generator) -> Tensor:
    """The bucket of every key in every key head, [Hk, Tk]; -1 for a key in no bucket."""
    shape = (problem.key_heads, problem.key_length)
    buckets = torch.randint(problem.value_size, shape, generator=generator)
    if problem.dtype in ("float16", "bfloat16"):
        share = HALF_PRECISION_COUNT * problem.value_size / problem.key_length
        buckets[torch.rand(shape, generator=generator) > share] = -1
    return buckets


def _one_hot(buckets: Tensor, problem: Problem) -> Tensor:
    """[B, Hk, Tk, Dv] in float32: 1 where the column is the key's bucket."""
    hot = (buckets[..., None] == torch.arange(problem.value_size)).float()
    return hot.expand(problem.batch, *hot.shape)


def _counts(
    function: Callable[..., Tensor], problem: Problem, v: Tensor, weight: KeyWeight
) -> Tensor:
    """Visible keys per bucket by the implementation, [B, Hq, Tq, Dv]; -1 for NaN and inf."""
    out = _output(function, problem, v, weight)
    visible = _visible_counts(problem)[:, None, :, None]
    # A row without visible keys is zero: any weight on a key shows when multiplied by Tk.
    counted = torch.where(visible > 0, visible, float(problem.key_length))
    return weight.counts(out, counted).round().nan_to_num(-1, -1, -1).long()


def _output(
    function: Callable[..., Tensor], problem: Problem, v: Tensor, weight: KeyWeight
) -> Tensor:
    """The output for constant q and k and these values, on the CPU in float64."""
    q, k = constant_queries_and_keys(problem, weight.constant)
    with torch.no_grad():
        return function(q, k, laid_out(v, problem)).cpu().double()


def _visible_counts(problem: Problem) -> Tensor:
    start, end = visible_intervals(problem).unbind(-1)
    return (end - start).double()


def _expected_counts(problem: Problem, buckets: Tensor) -> Tensor:
    """Visible keys per bucket by the mask, [B, Hq, Tq, Dv]."""
    hot = (buckets[..., None] == torch.arange(problem.value_size)).long()
    sums = torch.cat([hot.new_zeros(problem.key_heads, 1, problem.value_size), hot.cumsum(1)], 1)
    start, end = visible_intervals(problem).unbind(-1)
    counts = (sums[:, end] - sums[:, start]).transpose(0, 1)
    return counts.repeat_interleave(problem.query_heads // problem.key_heads, dim=1)


def _message(
    function: Callable[..., Tensor], problem: Problem, wrong: Tensor, weight: KeyWeight
) -> str:
    """One query that differs, with its keys and the expected ones; `wrong` is [B, Hq, Tq]."""
    b, head, row = (int(i) for i in wrong.nonzero()[0])
    start, end = visible_intervals(problem)[b, row].tolist()
    rows = int(wrong.any(0).any(0).sum())
    query = f"query {row} (of {rows} that differ; batch row {b}, head {head})"
    if problem.key_length > NAMED_UP_TO:
        return f"{query} does not see exactly keys {_run(start, end)}"
    seen = _seen_keys(function, problem, (b, head, row), weight)
    if seen == list(range(start, end)):
        keys = _run(start, end)
        return f"{query} sees keys {keys} as expected, but with unequal weights or wrong values"
    return f"{query} sees keys {_runs(seen)}, expected {_run(start, end)}"


def _seen_keys(
    function: Callable[..., Tensor],
    problem: Problem,
    query: tuple[int, int, int],
    weight: KeyWeight,
) -> list[int]:
    """The visible keys of one query, read out with one column of v for each key."""
    seen: list[int] = []
    for first in range(0, problem.key_length, problem.value_size):
        v = torch.zeros(problem.batch, problem.key_heads, problem.key_length, problem.value_size)
        columns = range(min(problem.value_size, problem.key_length - first))
        for column in columns:
            v[:, :, first + column, column] = 1
        out = _output(function, problem, v, weight)[query]
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


def passes_values(implementation: Implementation) -> bool:
    """Whether one-hot values pass through it: no projections, no approximation."""
    return implementation.projections is None and not implementation.approximates


def is_readable(implementation: Implementation, problem: Problem) -> bool:
    """Whether its visible keys can be read out of its outputs."""
    return passes_values(implementation) and key_weight(implementation, problem) is not None


def _find(trial: Trial) -> str:
    problem, seed = trial.problem, trial.case.seed
    given, weight = neutral(trial.inputs), key_weight(trial.implementation, trial.problem)
    fault = differences(trial.prober.function(problem, given), problem, seed, weight or ATTENTION)
    trial.mask_agrees = not fault
    if not fault or problem.bias.kind == "none":
        return fault
    unbiased = replace(problem, bias=Bias())
    if accepts(trial.implementation, unbiased):
        function = trial.prober.function(unbiased, replace(given, bias=None))
        if not differences(function, unbiased, seed, weight or ATTENTION):
            return f"adds another bias than the given one: where that is zero, {fault}"
    return f"{fault} (with a bias of zero)"


def _prepare(case: Case, implementation: Implementation) -> None:
    if case.is_problem_itself:
        is_readable(implementation, case.problem)


PROBE = Probe(
    order=30,
    applies=lambda t: t.case.is_problem_itself and is_readable(t.implementation, t.problem),
    find=_find,
    prepare=_prepare,
)
