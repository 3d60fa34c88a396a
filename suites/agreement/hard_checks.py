"""An implementation called on hard inputs, one after the other, until a probe finds a fault."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from torch import Tensor

from impls.interface import Problem
from suites.agreement.attempts import Raised, attempt
from suites.agreement.calls import Caller, versions_of
from suites.agreement.cases import Cases
from suites.agreement.diagnosis import diagnosed
from suites.agreement.hard_inputs import HardInput, poisoned
from suites.agreement.refused_feature import traced
from suites.agreement.slip import Diagnosis
from suites.agreement.trial import EqualBits, Probe, Trial, first_fault
from suites.measure.inputs import Inputs, copies, overwrite


@dataclass(frozen=True, slots=True)
class HardFinding:
    """The result of the hard inputs: the first fault as text, and how many were right before it.

    equal_bits  of the small problem
    cause       of the fault, where it is a known mistake
    """

    fault: str
    count: int
    scale_slope: float | None = None
    repeatable: bool | None = None
    calls_ms: float = 0.0
    equal_bits: EqualBits = field(default_factory=EqualBits)
    cause: Diagnosis | None = None


UNKNOWN: Final = HardFinding("", 0)
"""Of an implementation that has been checked and has not reached its hard inputs."""
HardFindings = dict[tuple[str, Problem], HardFinding]
"""Results of hard inputs by implementation and by the small problem of `kind_of`."""


@dataclass(slots=True, eq=False)
class _Call:
    """One bound call on a hard input: its inputs, their write counters before it, its outputs."""

    problem: Problem
    given: Inputs
    call: Callable[[], tuple[Tensor, ...]]
    versions: list[int]
    outputs: tuple[Tensor, ...] = ()


def check_hard_inputs(
    caller: Caller,
    cases: Cases,
    probes: Sequence[Probe],
    risks: Callable[[str], None] | None,
) -> HardFinding:
    """Call an implementation on each of its hard inputs and run the probes."""
    count, slope, repeatable, equal_bits = 0, None, None, EqualBits()
    for each, trial in _trials(caller, cases, risks):
        with _noted(each.place), traced(caller, [each.problem]):
            fault = first_fault(trial, probes)
        if fault:
            spent_ms, cause = sum(caller.took_ms), diagnosed(trial, cases)
            return HardFinding(f"{each.place}, {fault}", count, calls_ms=spent_ms, cause=cause)
        slope = trial.scale_slope or slope
        repeatable = trial.repeatable if repeatable is None else repeatable
        equal_bits = trial.equal_bits if trial.case.is_plain_small else equal_bits
        count += 1
    return HardFinding("", count, slope, repeatable, sum(caller.took_ms), equal_bits)


def _trials(
    caller: Caller, cases: Cases, risks: Callable[[str], None] | None
) -> Iterator[tuple[HardInput, Trial]]:
    """A trial for each hard input, at the first sizes where the call raises no exception.

    Raises the exception of the last sizes.
    """
    ladder, before = cases.ladder(caller.implementation), None
    for label in ladder.labels:
        tried: list[Problem] = []
        with traced(caller, tried):
            found = ladder.climb(label, partial(_attempted, caller, cases, before, tried))
        if found is None:
            continue
        each, before = found
        case = cases.of(each, caller.implementation)
        if not case.expected.fits(each.problem.dtype):
            continue  # the right result is no number of the dtype
        made = before.given, before.versions, before.outputs
        yield each, Trial(case, *made, caller, caller, risks)


def _attempted(
    caller: Caller, cases: Cases, before: _Call | None, tried: list[Problem], each: HardInput
) -> _Call | Raised:
    """The call, once more without compiled code if torch's limit on its variants was reached.

    tried  gets the problem
    """
    tried.append(each.problem)
    call = partial(_called, caller, cases, each, before)
    made = attempt(call)
    compiler = sys.modules.get("torch._dynamo")
    if compiler is None or not isinstance(made, Raised):
        return made
    if not type(made.error).__module__.startswith(compiler.__name__):
        return made
    compiler.reset()
    return attempt(call)


def _called(caller: Caller, cases: Cases, each: HardInput, before: _Call | None) -> _Call:
    """A call with its outputs. Some overwrite the numbers of the call before, uncounted."""
    inputs = cases.inputs_of(each)
    if each.same_call and before is not None and before.problem == each.problem:
        overwrite(before.given, inputs)
        made = before
    else:
        given = copies(inputs)
        made = _Call(each.problem, given, caller.call(each.problem, given), [])
    made.versions = versions_of(made.given)
    with poisoned() if each.poisoned else contextlib.nullcontext():
        made.outputs = made.call()
    return made


@contextlib.contextmanager
def _noted(where: str) -> Iterator[None]:
    """Add a note of the place to whatever is raised within this."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
