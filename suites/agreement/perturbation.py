"""What an implementation sees, told by what changes its answers: for layers, and on real inputs.

Other finite numbers in keys and values that a row may not see must not change that row; in most of
those that it sees, they must. (NaN would be no fair test: zero times NaN is NaN in any dense
product.)

Mostly no bit changes. Hidden keys may still have a part in how a sum is rounded: where a maximum is
taken before the mask, or keys are put in order. Then the change has to be within rounding, also
when hidden values alone are a thousand times as large: a weight on one of them would show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from suites.agreement.expected import Expected
from suites.agreement.readout import intervals
from suites.measure.inputs import Inputs, laid_out

LARGE: Final = 1024.0
"""How many times as large hidden values are made; float16 holds such."""
MUST_CHANGE_FROM: Final = 0.5
"""The part of a row's visible keys that has to be changed before the row has to change."""
DOUBTED: Final = 16
"""Rows that are held against what is expected of them, where they do not change."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked, and what is expected of an answer.

    expects  what is expected of some query rows for other inputs, forward
    """

    problem: Problem
    inputs: Inputs
    expected: Expected
    expects: Callable[[Inputs, Tensor], Expected]


def differences(
    function: Callable[..., Tensor], question: Question, out: Tensor, seed: int, *, draws: int
) -> str:
    """Where an answer depends on keys it should not see, in words; empty where it never does.

    out    what the function answers to the question; it has to be repeatable
    draws  how many sets of keys are changed, one after the other
    """
    problem, inputs, expected = question.problem, question.inputs, question.expected
    generator = torch.Generator().manual_seed(seed)
    start, end = intervals(problem).unbind(-1)
    for _, keys in zip(range(draws), _sets_of_keys(problem, generator), strict=False):
        k, v = (_changed(x, keys, problem, generator) for x in (inputs.k, inputs.v))
        with torch.no_grad():
            made = function(inputs.q, k, v)
        moved = (made != out).any(-1).any(1).cpu()  # [B, Tq]
        sums = torch.cat([keys.new_zeros(1, dtype=torch.long), keys.long().cumsum(0)])
        seen = sums[end] - sums[start]
        if (moved & (seen == 0)).any():
            with torch.no_grad():
                large = torch.where(keys[:, None].to(v.device), LARGE * v, inputs.v)
                with_large = function(inputs.q, inputs.k, laid_out(large, problem))
            off = _beyond_rounding(made, out, expected) | _beyond_rounding(
                with_large, out, expected
            )
            if (off & (seen == 0)).any():
                return _in_words(off & (seen == 0), keys, "changes with keys it may not see")
        still = ~moved & (seen > 0) & (seen >= MUST_CHANGE_FROM * (end - start))
        if problem.bias.kind == "none" and still.any():
            still &= _would_move(question, replace(inputs, k=k, v=v), still)
            if still.any():
                return _in_words(still, keys, "does not change with keys it should see")
    return ""


def _would_move(question: Question, changed: Inputs, still: Tensor) -> Tensor:
    """Which of these rows have to move by more than rounding; [B, Tq]. Of many, the first ones.

    Where scores are large, one key that is as it was may have all of a row's weight.
    """
    rows = still.any(0).nonzero().flatten()[:DOUBTED]
    was, now = (question.expects(each, rows) for each in (question.inputs, changed))
    moves = torch.zeros_like(still)
    moves[:, was.rows] = (
        (_rms(now.values["out"] - was.values["out"]) > _rms(was.bounds["out"])).any(1).cpu()
    )
    return moves


def _beyond_rounding(made: Tensor, out: Tensor, expected: Expected) -> Tensor:
    """Which rows differ by more than two answers may, in the mean of their elements; [B, Tq]."""
    apart = _rms(made.double() - out.double())
    allowed = 2 * _rms(expected.bounds["out"])  # each may be off by its bound
    if expected.rows is not None:  # the others are like those that were drawn
        allowed = allowed.amax(-1, keepdim=True)
    return (~(apart <= allowed)).any(1).cpu()  # no number is none of these


def _sets_of_keys(problem: Problem, generator: torch.Generator) -> Iterator[Tensor]:
    """Keys to change, [Tk]: all that some row may not see, then those on one side of some key."""
    spans = intervals(problem)
    places = torch.arange(problem.key_length)
    while True:
        b, row = (int(torch.randint(n, (), generator=generator)) for n in spans.shape[:2])
        start, end = spans[b, row].tolist()
        hidden = (places < start) | (places >= end)
        yield hidden if hidden.any() else torch.ones_like(hidden)
        cut = int(torch.randint(problem.key_length, (), generator=generator))
        yield places >= cut
        yield places <= cut


def _changed(x: Tensor, keys: Tensor, problem: Problem, generator: torch.Generator) -> Tensor:
    """Other numbers at these keys, [B, Hk, Tk, D]."""
    other = laid_out(2 * torch.randn(x.shape, generator=generator), problem)
    return laid_out(torch.where(keys[:, None].to(x.device), other, x), problem)


def _in_words(rows: Tensor, keys: Tensor, what: str) -> str:
    b, row = (int(i) for i in rows.nonzero()[0])
    places = keys.nonzero().flatten()
    return (
        f"query {row} (of {int(rows.any(0).sum())} such; batch row {b}) {what}: "
        f"{len(places)} of keys {int(places[0])}..{int(places[-1])} were changed"
    )


def _rms(rows: Tensor) -> Tensor:
    return rows.square().mean(-1).sqrt()
