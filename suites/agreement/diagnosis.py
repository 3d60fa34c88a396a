"""The cause of a wrong output: the mistake of `slips/` that gives the same output.

The outputs on a small case are compared with what attention returns with each mistake. The mistake
that is named also has to agree on the small problem with standard-normal numbers. So "window
ignored" and "window one too long" differ, which are the same at very short lengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.agreement.bounds.by_implementation import claims_exact_attention
from suites.agreement.calls import Caller
from suites.agreement.cases import Case, Cases
from suites.agreement.observation import Observation, observed
from suites.agreement.slip import Diagnosis, Slip
from suites.agreement.slips import all_slips
from suites.agreement.trial import Trial
from suites.measure.inputs import copies

SMALL: Final = 1 << 18
"""Score entries, over all heads, up to which a case is examined itself. Larger problems are
replaced by the first hard input on which the implementation is wrong."""
LARGEST: Final = 1 << 21
"""Score entries up to which a problem is examined where no hard input is wrong."""
RAISED: Final = (
    RuntimeError,
    ValueError,
    TypeError,
    AssertionError,
    LookupError,
    AttributeError,
    NotImplementedError,
)
"""Exceptions by which functions refuse sizes and features that they do not support."""


def diagnosed(trial: Trial, cases: Cases) -> Diagnosis | None:
    """The cause of wrong outputs; None where they are right, or no mistake explains them.

    It is known for attention only, not for layers and other functions.
    """
    if not claims_exact_attention(trial.implementation):
        return None
    caller = Caller(trial.implementation, trial.caller.guard)
    failed = _failed(trial, caller, cases)
    if failed is None:
        return None
    others = (_observed(caller, case) for case in _plain(trial, cases))
    return explanation(failed, [each for each in others if each is not None])


def explanation(failed: Observation, others: list[Observation]) -> Diagnosis | None:
    """The first mistake that explains the failed observation and agrees with the others."""
    for slip in all_slips().values():
        for suspect in slip.suspects(failed):
            key = suspect.diagnosis.slip
            if suspect.explains(failed) and all(_agrees(slip, key, each) for each in others):
                return suspect.diagnosis
    return None


def _agrees(slip: Slip, key: str, other: Observation) -> bool:
    """Whether the same mistake agrees with another observation.

    A mistake that is not possible there has to leave the output right.
    """
    suspects = [each for each in slip.suspects(other) if each.diagnosis.slip == key]
    return any(each.agrees(other) for each in suspects) if suspects else not other.is_wrong


def _failed(trial: Trial, caller: Caller, cases: Cases) -> Observation | None:
    """The wrong observation to explain: of the trial, or of a hard input; None: it is right."""
    problem = trial.problem
    entries = problem.batch * problem.query_heads * problem.query_length * problem.key_length
    whole = observed(trial.case, trial.outputs)
    if not whole.is_wrong:
        return None
    is_whole = trial.case.expected.rows is None
    if is_whole and entries <= SMALL:
        return whole
    for case in cases.hard(trial.implementation):
        found = _observed(caller, case)
        if found is not None and found.is_wrong:
            return found
    return whole if is_whole and entries <= LARGEST else None


def _plain(trial: Trial, cases: Cases) -> Iterator[Case]:
    """The small problem with standard-normal numbers, where the trial is not that itself."""
    if trial.case.is_plain_small:
        return
    yield from (case for case in cases.hard(trial.implementation) if case.is_plain_small)


def _observed(caller: Caller, case: Case) -> Observation | None:
    """The observation of one more call; None where it raises."""
    try:
        return observed(case, caller.call(case.problem, copies(case.inputs))())
    except RAISED:
        return None

