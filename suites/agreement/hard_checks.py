"""An implementation called on hard inputs, one after the other, until a probe finds a fault."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from impls.interface import Problem
from suites.agreement.calls import Caller, versions_of
from suites.agreement.cases import Case, Cases
from suites.agreement.diagnosis import diagnosed
from suites.agreement.hard_inputs import poisoned
from suites.agreement.refused_feature import traced
from suites.agreement.slip import Diagnosis
from suites.agreement.trial import Probe, Trial, first_fault
from suites.measure.inputs import Inputs, copies, overwrite


@dataclass(frozen=True, slots=True)
class HardFinding:
    """The result of the hard inputs: the first fault as text, and how many were right before it.

    cause  of the fault, where it is a known mistake
    """

    fault: str
    count: int
    scale_slope: float | None = None
    repeatable: bool | None = None
    calls_ms: float = 0.0
    cause: Diagnosis | None = None


UNKNOWN: Final = HardFinding("", 0)
"""Of an implementation that has been checked and has not reached its hard inputs."""
HardFindings = dict[tuple[str, Problem], HardFinding]
"""Results of hard inputs by implementation and by the small problem of `kind_of`."""


def check_hard_inputs(
    caller: Caller,
    cases: Cases,
    probes: Sequence[Probe],
    risks: Callable[[str], None] | None,
) -> HardFinding:
    """Call an implementation on each of its hard inputs and run the probes."""
    count, slope, repeatable = 0, None, None
    for trial in _trials(caller, cases, risks):
        where = _where(trial.case)
        with _noted(where):
            fault = first_fault(trial, probes)
        if fault:
            spent_ms, cause = sum(caller.took_ms), diagnosed(trial, cases)
            return HardFinding(f"{where}, {fault}", count, calls_ms=spent_ms, cause=cause)
        slope = trial.scale_slope or slope
        repeatable = trial.repeatable if repeatable is None else repeatable
        count += 1
    return HardFinding("", count, slope, repeatable, sum(caller.took_ms))


def _trials(caller: Caller, cases: Cases, risks: Callable[[str], None] | None) -> Iterator[Trial]:
    """A trial for each hard input. Some overwrite the numbers of the one before, uncounted."""
    given: Inputs | None = None
    call: Callable[[], tuple[Tensor, ...]] | None = None
    for case in cases.hard(caller.implementation):
        if case.reuses_call and given is not None and call is not None:
            overwrite(given, case.inputs)
        else:
            given = copies(case.inputs)
            call = caller.call(case.problem, given)
        versions = versions_of(given)
        with (
            _noted(_where(case)),
            traced(caller, case.problem),
            poisoned() if case.is_poisoned else contextlib.nullcontext(),
        ):
            outputs = call()
        yield Trial(case, given, versions, outputs, caller, caller, risks)


def _where(case: Case) -> str:
    return f"on a hard input ({case.label}: {case.problem})"


@contextlib.contextmanager
def _noted(where: str) -> Iterator[None]:
    """Add a note of the place to whatever is raised within this."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
