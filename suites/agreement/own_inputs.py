"""An implementation called on the user's own inputs, with the size of the problem.

Random inputs of that size come first, and find faults of masks and features. These calls show the
error on real numbers: outliers, rows that one key dominates, values near a dtype's end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class OwnFinding:
    """The result on the user's own inputs: the first fault as text, and the errors of each file."""

    fault: str = ""
    errors: tuple[OnInputs, ...] = ()


def check_own_inputs(files: Iterable[InputFile], caller: Caller, cases: Cases) -> OwnFinding:
    """Call an implementation on each file, and compare its outputs with the reference."""
    errors: list[OnInputs] = []
    for file in files:
        trial = _trial(file, caller, cases)
        if not malformed(trial.outputs, trial.case.inputs):
            errors.append(OnInputs(file=file.name, tensors=trial.errors))
        if fault := _fault(trial):
            return OwnFinding(f"on your inputs ({file.name}), {fault}", tuple(errors))
    return OwnFinding("", tuple(errors))


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
    return bound_fault(made, case.expected, trial.errors) or naive_fault(made, case.expected)
