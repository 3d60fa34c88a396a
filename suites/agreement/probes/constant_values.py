"""In half precision, weights sum to one where scores are extreme.

The rounding bound of such scores is so wide that zeros pass it. With values of one everywhere the
output is one, however scores are rounded. A maximum that is not the largest score gives zeros, NaN,
or sums of other sizes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch

from suites.agreement.bounds.by_implementation import claims_exact_attention
from suites.agreement.trial import Probe, Trial
from suites.agreement.visible_keys import visible_intervals

ALLOWED: Final = 0.25
"""Error of an output that should be one. Honest results in bfloat16 were off by 0.02 at most."""


def _applies(trial: Trial) -> bool:
    half = trial.problem.dtype in ("float16", "bfloat16")
    exact = claims_exact_attention(trial.implementation) and not trial.problem.sink
    return half and exact and trial.case.has_extreme_scores


def _find(trial: Trial) -> str:
    given = replace(trial.inputs, v=torch.ones_like(trial.inputs.v))
    function = trial.prober.function(trial.problem, given)
    with torch.no_grad():
        out = function(given.q, given.k, given.v).double().cpu()
    start, end = visible_intervals(trial.problem).unbind(-1)
    off = (out - (end > start).double()[:, None, :, None]).abs()
    if bool((off <= ALLOWED).all()):
        return ""
    at = (~(off <= ALLOWED)).nonzero()[0].tolist()
    return (
        f"out is wrong: with values of one everywhere it is {float(out[tuple(at)]):.4g} at {at}, "
        "expected the sum of the weights, 1"
    )


PROBE = Probe(order=115, applies=_applies, find=_find)
