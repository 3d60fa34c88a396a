"""An implementation called on the user's own inputs, with the size of the problem.

Random inputs of that size come first, and find faults of masks and features. These calls show the
error on real numbers: outliers, rows that one key dominates, values near a dtype's end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from suites.agreement.bounds.expected import Expected
from suites.agreement.calls import Caller, versions_of
from suites.agreement.cases import Cases
from suites.agreement.gate import bound_fault, naive_fault
from suites.agreement.probes.inputs_unchanged import changed
from suites.agreement.probes.output_form import malformed
from suites.agreement.refused_feature import traced
from suites.agreement.trial import Trial
from suites.measure.inputs import copies
from suites.records.input_files import InputFile
from suites.records.record import OnInputs

CANCELLED: Final = 5e-4
"""RMS error of the naive formula over RMS of the rounding bound, below which it is not compared.
Usual errors are 1e-3 to 0.1 of the bound. Where nearly all rows were saturated, the naive formula
came to 1e-36 to 2e-5, and fused kernels to 1e-9 to 1.3e-4: they use the rounded output to compute
dq and dk."""


@dataclass(frozen=True, slots=True)
class OwnFinding:
    """The result on the user's own inputs: the first fault as text, and the errors of each file.

    notes  on files whose right result cannot be compared
    """

    fault: str = ""
    errors: tuple[OnInputs, ...] = ()
    notes: tuple[str, ...] = ()


def check_own_inputs(files: Iterable[InputFile], caller: Caller, cases: Cases) -> OwnFinding:
    """Call an implementation on each file, and compare its outputs with the reference."""
    errors: list[OnInputs] = []
    notes: list[str] = []
    for file in files:
        trial = _trial(file, caller, cases)
        if not trial.case.expected.fits(trial.problem.dtype):
            notes.append(f"not compared on {file.name}: the result is beyond {trial.problem.dtype}")
            continue
        if not malformed(trial.outputs, trial.case.inputs):
            errors.append(OnInputs(file=file.name, tensors=trial.errors))
        if fault := _fault(trial):
            return OwnFinding(f"on your inputs ({file.name}), {fault}", tuple(errors))
    return OwnFinding("", tuple(errors), tuple(notes))


def _trial(file: InputFile, caller: Caller, cases: Cases) -> Trial:
    case = cases.of_file(file, caller.implementation)
    given = copies(case.inputs)
    versions = versions_of(given)
    with traced(caller, [case.problem]):
        outputs = caller.call(case.problem, given)()
    return Trial(case, given, versions, outputs, caller, caller)


def _fault(trial: Trial) -> str:
    """The fault of the outputs as text; empty: none. An approximation has no bound."""
    case, made = trial.case, trial.outputs
    form = malformed(made, case.inputs) or changed(trial.inputs, case.inputs, trial.versions)
    if form or trial.implementation.approximates:
        return form
    return bound_fault(made, case.expected, trial.errors) or naive_fault(
        made, _comparable(case.expected)
    )


def _comparable(expected: Expected) -> Expected:
    """Expected values without naive errors far below the rounding bound.

    Where one key takes nearly the whole weight of a row, the naive formula's gradients cancel in
    half precision. Fused kernels leave a larger error, still far below the bound.
    """
    known = {
        name: naive
        for name, naive in expected.naive.items()
        if naive.rms >= CANCELLED * float(expected.bounds[name].square().mean().sqrt())
    }
    return replace(expected, naive=known)
