"""Outputs do not depend on hidden keys, and do depend on visible ones.

Keys and values are replaced by other finite numbers. A row must not change where only hidden keys
were replaced. It must change where most of its visible keys were. (NaN is no fair replacement: zero
times NaN is NaN in any dense product.)

Hidden keys may still change how a sum is rounded: where the maximum is taken before the mask, or
where keys are sorted. Then the change has to be within rounding, also with hidden values that are
1,024 times as large, where a weight of an eighth of a rounding shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from suites.agreement.bounds.by_implementation import expected_of
from suites.agreement.bounds.expected import Expected
from suites.agreement.trial import Probe, Trial
from suites.agreement.visible_keys import visible_intervals
from suites.measure.inputs import Inputs, laid_out

LARGE: Final = 1024.0
"""Factor on hidden values; standard-normal numbers times this are representable in float16."""
MUST_CHANGE_FROM: Final = 0.5
"""A row has to change when at least this part of its visible keys is replaced."""
RECOMPUTED: Final = 16
"""Unchanged rows whose expected change is computed, at most."""
DRAWS: Final = 3
"""Sets of keys that are replaced, one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """The problem, its inputs and bounds.

    expect  reference values and bounds of some query rows for other inputs, forward
    """

    problem: Problem
    inputs: Inputs
    expected: Expected
    expect: Callable[[Inputs, Tensor], Expected]


def differences(
    function: Callable[..., Tensor], setting: Setting, out: Tensor, seed: int, *, draws: int
) -> str:
    """The first row that depends on the wrong keys, as text; empty: none.

    out    the function's output for the unchanged inputs; it has to be repeatable
    draws  how many sets of keys are replaced, one after the other
    """
    problem, inputs, expected = setting.problem, setting.inputs, setting.expected
    generator = torch.Generator().manual_seed(seed)
    start, end = visible_intervals(problem).unbind(-1)
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
                return _message(off & (seen == 0), keys, "changes with hidden keys")
        still = ~moved & (seen > 0) & (seen >= MUST_CHANGE_FROM * (end - start))
        if problem.bias.kind == "none" and still.any():
            still &= _must_change(setting, replace(inputs, k=k, v=v), still)
            if still.any():
                return _message(still, keys, "does not change with visible keys")
    return ""


def _must_change(setting: Setting, changed: Inputs, still: Tensor) -> Tensor:
    """Which of these rows have to change by more than rounding; [B, Tq]. Of many, the first ones.

    Where scores are large, one key that was not replaced may have all of a row's weight.
    """
    rows = still.any(0).nonzero().flatten()[:RECOMPUTED]
    was, now = (setting.expect(each, rows) for each in (setting.inputs, changed))
    moves = torch.zeros_like(still)
    moves[:, was.rows] = (
        (_rms(now.values["out"] - was.values["out"]) > _rms(was.bounds["out"])).any(1).cpu()
    )
    return moves


def _beyond_rounding(made: Tensor, out: Tensor, expected: Expected) -> Tensor:
    """Rows whose RMS difference exceeds what rounding may add to both outputs; [B, Tq]."""
    apart = _rms(made.double() - out.double())
    allowed = 2 * _rms(expected.bounds["out"])  # each output may be off by its bound
    if expected.rows is not None:  # for the other rows: the largest of the sampled ones
        allowed = allowed.amax(-1, keepdim=True)
    return (~(apart <= allowed)).any(1).cpu()  # also where it is NaN


def _sets_of_keys(problem: Problem, generator: torch.Generator) -> Iterator[Tensor]:
    """Keys to replace, [Tk]: all that are hidden from some row, then all on one side of a key."""
    spans = visible_intervals(problem)
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
    """The tensor with other numbers at these keys, [B, Hk, Tk, D]."""
    other = laid_out(2 * torch.randn(x.shape, generator=generator), problem)
    return laid_out(torch.where(keys[:, None].to(x.device), other, x), problem)


def _message(rows: Tensor, keys: Tensor, what: str) -> str:
    b, row = (int(i) for i in rows.nonzero()[0])
    places = keys.nonzero().flatten()
    return (
        f"query {row} (of {int(rows.any(0).sum())} such; batch row {b}) {what}: "
        f"{len(places)} of keys {int(places[0])}..{int(places[-1])} were replaced"
    )


def _rms(rows: Tensor) -> Tensor:
    return rows.square().mean(-1).sqrt()


def _find(trial: Trial) -> str:
    if trial.forward_output is None:
        return ""

    def expect(inputs: Inputs, rows: Tensor) -> Expected:
        forward, without = replace(trial.problem, training=False), replace(inputs, grad=None)
        return expected_of(trial.implementation, forward, without, rows)

    setting = Setting(trial.problem, trial.inputs, trial.case.expected, expect)
    function = trial.prober.function(trial.problem, trial.inputs)
    fault = differences(function, setting, trial.forward_output, trial.case.seed, draws=DRAWS)
    trial.mask_agrees = not fault
    return fault


PROBE = Probe(order=50, applies=lambda trial: trial.forward_output is not None, find=_find)
