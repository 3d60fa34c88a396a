"""Results are right after a call with another mask or scale of the same lengths.

A cache whose key leaves out the mask or the scale returns the result of the other one. So does a
cache keyed by `id(mask)`: Python gives the address of a dropped object to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from torch import Tensor

from impls.interface import Mask, Problem
from suites.agreement.attempts import Raised, attempt
from suites.agreement.bounds.by_implementation import expected_of
from suites.agreement.gate import judge
from suites.agreement.hard_inputs import accepts
from suites.agreement.probes.interleaved_calls import fault_unless_equal
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import copies

REACH: Final = 3
"""Keys that the other window reaches farther: a mask that shows more leaves no query without."""
SCALE: Final = 1.5
"""Factor on the other scale."""
ALLOCATIONS: Final = 4096
"""Masks that are made until one has the address of the dropped one."""


def _others(trial: Trial) -> Iterator[Problem]:
    """The problem with another mask, and with another scale, where these are its features."""
    problem, fixed = trial.problem, trial.implementation.fixed
    mask = wider(problem.mask.resolved(problem.batch, problem.key_length), problem.key_length)
    if mask is not None and "mask" not in fixed:
        yield replace(problem, mask=mask)
    if problem.scale is not None and "scale" not in fixed:
        yield replace(problem, scale=SCALE * problem.scale)


def wider(mask: Mask, keys: int) -> Mask | None:
    """A mask of the same family that shows more keys; None where the family has one member.

    mask  with resolved padding
    """
    left, right = mask.left, mask.right
    if left is not None and left > 1:
        symmetric = right == left - 1
        return replace(mask, left=left + REACH, right=left + REACH - 1 if symmetric else right)
    if left is None and right:
        return replace(mask, right=right + REACH)
    if isinstance(mask.padding, tuple):
        return replace(mask, padding=((0, keys), *mask.padding[1:]))
    if mask.documents is not None and len(mask.documents) > 2:
        first, second, *rest = mask.documents
        return replace(mask, documents=(first + second, *rest))
    if mask.rows is not None and len(mask.rows) > 2:
        one, two, *others = mask.rows
        return replace(mask, rows=((one[0] + two[0], one[1] + two[1]), *others))
    return None


def _applies(trial: Trial) -> bool:
    each = trial.implementation
    return trial.case.is_plain_small and not each.approximates and not each.prepares


def _find(trial: Trial) -> str:
    for other in _others(trial):
        if accepts(trial.implementation, other):
            setting = "scale" if other.scale != trial.problem.scale else "mask"
            if fault := _fault(trial, other):
                return f"with two values of the {setting} in turn, {fault}"
    return ""


def _fault(trial: Trial, other: Problem) -> str:
    """The fault of a call with the other setting, or of one with the problem's own after it.

    Both calls get masks that no cache of this program holds, the first one's is dropped.
    """
    dropped = [replace(other, mask=replace(other.mask))]
    address = id(dropped[0].mask)
    first = attempt(lambda: _call(trial, dropped.pop()))
    if isinstance(first, Raised):
        return ""
    own = replace(trial.problem, mask=_mask_at(address, trial.problem))
    second = attempt(lambda: _call(trial, own))
    if isinstance(second, Raised):
        return ""
    if fault := fault_unless_equal(trial, second):
        return fault
    rows = trial.case.expected.rows
    expected = expected_of(trial.implementation, other, trial.case.inputs, rows)
    fault = judge(first, expected)[1]
    return f"{fault} ({other})" if fault else ""


def _call(trial: Trial, problem: Problem) -> tuple[Tensor, ...]:
    """A call of a caller of its own, which keeps no earlier call."""
    return trial.prober.apart().call(problem, copies(trial.case.inputs))()


def _mask_at(address: int, problem: Problem) -> Mask:
    """The problem's mask, if possible as an object at this address."""
    made = [problem.mask.resolved(problem.batch, problem.key_length)]
    while len(made) < ALLOCATIONS and id(made[-1]) != address:
        made.append(replace(made[0]))
    return made[-1]


PROBE = Probe(order=136, applies=_applies, find=_find)
