"""Outputs do not depend on hidden keys, and do depend on visible ones.

Keys and values are replaced by other finite numbers. A row must not change where only hidden keys
were replaced. It must change where most of its visible keys were. (NaN is no fair replacement: zero
times NaN is NaN in any dense product.)

Hidden keys may still change how a sum is rounded: where the maximum is taken before the mask, or
where keys are sorted. Then the change has to be within rounding, also with hidden values that are
1,024 times as large, where a weight of an eighth of a rounding shows.

An approximation that rounds keys in blocks rounds visible keys beside hidden ones in another way.
A change that is no larger than its own error is no leak. Large hidden values and their negatives
are rounded alike, so these two outputs may differ no more than that either.
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
OWN_ERRORS: Final = 6.0
"""An approximation's change of a row, over the largest RMS error of its rows, at most."""
SMALL_ERROR: Final = 0.15
"""Relative RMS error up to which an approximation's own error excuses a change. That of int4 keys
is 0.11, that of a causal mask that is off by one key 0.35."""
DRAWS: Final = 3
"""Sets of keys that are replaced, one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """The problem, its inputs and bounds.

    expect       reference values and bounds of some query rows for other inputs, forward
    approximates whether the function is an approximation, whose own error excuses small changes
    """

    problem: Problem
    inputs: Inputs
    expected: Expected
    expect: Callable[[Inputs, Tensor], Expected]
    approximates: bool = False


def differences(
    function: Callable[..., Tensor], setting: Setting, out: Tensor, seed: int, *, draws: int
) -> str:
    """The first row that depends on the wrong keys, as text; empty: none.

    out    the function's output for the unchanged inputs; it has to be repeatable
    draws  how many sets of keys are replaced, one after the other
    """
    problem, inputs = setting.problem, setting.inputs
    generator = torch.Generator().manual_seed(seed)
    numbers = _numbers(inputs.k.device, generator)
    start, end = visible_intervals(problem).unbind(-1)
    for _, keys in zip(range(draws), _sets_of_keys(problem, generator), strict=False):
        k, v = (_changed(x, keys, problem, numbers) for x in (inputs.k, inputs.v))
        with torch.no_grad():
            made = function(inputs.q, k, v)
        moved = (made != out).any(-1).any(1).cpu()  # [B, Tq]
        sums = torch.cat([keys.new_zeros(1, dtype=torch.long), keys.long().cumsum(0)])
        seen = sums[end] - sums[start]
        if (moved & (seen == 0)).any():
            off = _leaks(function, setting, out, made, keys) & (seen == 0)
            if off.any():
                return _message(off, keys, "changes with hidden keys")
        still = ~moved & (seen > 0) & (seen >= MUST_CHANGE_FROM * (end - start))
        if problem.bias.kind == "none" and still.any():
            still &= _must_change(setting, replace(inputs, k=k, v=v), still)
            if still.any():
                return _message(still, keys, "does not change with visible keys")
    return ""


def _leaks(
    function: Callable[..., Tensor], setting: Setting, out: Tensor, made: Tensor, keys: Tensor
) -> Tensor:
    """Rows that change by more than is allowed, [B, Tq], also with large values at these keys."""
    allowed = _allowed(setting, out)

    def with_values(factor: float) -> Tensor:
        v = setting.inputs.v
        values = torch.where(keys[:, None].to(v.device), factor * v, v)
        with torch.no_grad():
            return function(setting.inputs.q, setting.inputs.k, laid_out(values, setting.problem))

    other = with_values(-LARGE).clone() if setting.approximates else out
    return _apart(made, out, allowed) | _apart(with_values(LARGE), other, allowed)


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


def _allowed(setting: Setting, out: Tensor) -> Tensor:
    """The largest RMS difference of a row that hidden keys may make, [B, Hq, Tq or 1]."""
    expected = setting.expected
    allowed = 2 * _rms(expected.bounds["out"])  # each output may be off by its bound
    if expected.rows is not None:  # for the other rows: the largest of the sampled ones
        allowed = allowed.amax(-1, keepdim=True)
    if not setting.approximates:
        return allowed
    value = expected.values["out"]
    errors = expected.compared("out", out) - value
    if not float(errors.norm()) <= SMALL_ERROR * float(value.norm()):
        return allowed
    return allowed.clamp_min(OWN_ERRORS * float(_rms(errors).max()))


def _apart(made: Tensor, out: Tensor, allowed: Tensor) -> Tensor:
    """Rows whose RMS difference is larger in some head, [B, Tq]."""
    apart = _rms(made.double() - out.double())
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


def _numbers(device: torch.device, generator: torch.Generator) -> torch.Generator:
    """A generator on a GPU, seeded by that of the CPU, where 33 million numbers take 0.3 s."""
    if device.type == "cpu":
        return generator
    return torch.Generator(device=device).manual_seed(generator.initial_seed())


def _changed(x: Tensor, keys: Tensor, problem: Problem, generator: torch.Generator) -> Tensor:
    """The tensor with other numbers at these keys, [B, Hk, Tk, D]."""
    drawn = torch.randn(x.shape, generator=generator, device=x.device)
    other = laid_out(2 * drawn, problem)
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

    approximates = trial.implementation.approximates
    setting = Setting(trial.problem, trial.inputs, trial.case.expected, expect, approximates)
    function = trial.prober.function(trial.problem, trial.inputs)
    fault = differences(function, setting, trial.forward_output, trial.case.seed, draws=DRAWS)
    trial.mask_agrees = not fault
    return fault


PROBE = Probe(order=50, applies=lambda trial: trial.forward_output is not None, find=_find)
