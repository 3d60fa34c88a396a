"""Keys that are expanded over heads and values that are expanded over the batch are read as such.

Their strides are zero. An exception is no fault: the problem states contiguous inputs.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.agreement.attempts import Raised, attempt
from suites.agreement.bounds.by_implementation import expected_of
from suites.agreement.gate import judge
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs, copies


def expanded(inputs: Inputs) -> Inputs:
    """The first key head for all heads, and the first batch row's values for all rows."""
    made = copies(inputs)
    k, v = made.k[:, :1].clone(), made.v[:1].clone()
    return replace(made, k=k.expand_as(made.k), v=v.expand_as(made.v))


def _applies(trial: Trial) -> bool:
    return trial.case.is_plain_small and not trial.implementation.approximates


def _find(trial: Trial) -> str:
    given = expanded(trial.case.inputs)
    made = attempt(partial(trial.again, given))
    if isinstance(made, Raised):
        return ""
    rows = trial.case.expected.rows
    expected = expected_of(trial.implementation, trial.problem, copies(given), rows)
    fault = judge(made, expected)[1]
    return f"with k expanded over heads and v over the batch (stride 0), {fault}" if fault else ""


PROBE = Probe(order=122, applies=_applies, find=_find, other_forms=True)
