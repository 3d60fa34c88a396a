"""The cause of a wrong output: the mistake of `slips/` that gives the same output.

The outputs on a small case are compared with what attention returns with each mistake. The mistake
that is named also has to agree on the small problem with standard-normal numbers. So "window
ignored" and "window one too long" differ, which are the same at very short lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor

from suites.agreement.attempts import Raised, attempt
from suites.agreement.bounds.by_implementation import claims_exact_attention
from suites.agreement.calls import Caller
from suites.agreement.cases import Case, Cases
from suites.agreement.hard_inputs import PLAIN, HardInput
from suites.agreement.observation import Observation, observed
from suites.agreement.slip import Diagnosis, Slip
from suites.agreement.slips import all_slips
from suites.agreement.trial import Trial
from suites.measure.inputs import copies

SMALL: Final = 1 << 16
"""Score entries, over all heads, up to which a case is examined itself. A larger problem is
replaced by the small one with standard-normal numbers, or by the first hard input that is wrong."""
LARGEST: Final = 1 << 18
"""Score entries up to which a problem is examined where no hard input is wrong: some hundred dense
results in float64 take about a second."""


def diagnosed(trial: Trial, cases: Cases) -> Diagnosis | None:
    """The cause of wrong outputs; None where they are right, or no mistake explains them.

    It is known for attention only, not for layers and other functions.
    """
    exact = claims_exact_attention(trial.implementation)
    if not exact or not _are_dense(trial.outputs, trial.case):
        return None
    caller = trial.caller.apart()
    plain = None if trial.case.is_plain_small else _of_label(PLAIN, caller, cases)
    failed = _failed(trial, plain, caller, cases)
    if failed is None:
        return None
    others = [] if plain is None or plain is failed else [plain]
    return explanation(failed, others)


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


def _failed(
    trial: Trial, plain: Observation | None, caller: Caller, cases: Cases
) -> Observation | None:
    """The wrong observation to explain; None: the outputs are right, or the problem is too large.

    plain  that of the small problem with standard-normal numbers
    """
    problem = trial.problem
    entries = problem.batch * problem.query_heads * problem.query_length * problem.key_length
    whole = observed(trial.case, trial.outputs)
    if not whole.is_wrong:
        return None
    is_whole = trial.case.expected.rows is None
    if is_whole and entries <= SMALL:
        return whole
    if plain is not None and plain.is_wrong:
        return plain
    for label in cases.ladder(trial.implementation).labels:
        found = _of_label(label, caller, cases)
        if found is not None and found.is_wrong:
            return found
    return whole if is_whole and entries <= LARGEST else None


def _of_label(label: str, caller: Caller, cases: Cases) -> Observation | None:
    """The observation of a hard input; None where it is refused, or raises at all sizes."""
    ladder = cases.ladder(caller.implementation)
    if label not in ladder.labels:
        return None
    call = partial(_called, caller, cases)
    found = attempt(lambda: ladder.climb(label, lambda each: attempt(partial(call, each))))
    if found is None or isinstance(found, Raised):
        return None
    each, outputs = found
    case = cases.of(each, caller.implementation)
    is_whole = case.expected.rows is None
    return observed(case, outputs) if is_whole and _are_dense(outputs, case) else None


def _called(caller: Caller, cases: Cases, each: HardInput) -> tuple[Tensor, ...]:
    return caller.call(each.problem, copies(cases.inputs_of(each)))()


def _are_dense(outputs: Sequence[Tensor], case: Case) -> bool:
    """Whether the outputs hold numbers that can be compared: on the device, and not sparse."""
    device = case.inputs.q.device
    return all(each.device == device and each.layout == torch.strided for each in outputs)
