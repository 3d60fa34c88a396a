"""Wrong scales are named, with the scale that was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.slips.tracing import Traced, traced


def scaled(name: str, scale: Callable[[AttentionCall], float]) -> Form:
    """A function with another scale."""

    def function(call: AttentionCall) -> Tensor:
        return attend(replace(call, scale=scale(call)))

    function.__name__ = name
    return function


MISSING = scaled("missing", lambda call: 1.0)
TWICE = scaled("twice", lambda call: call.scale**2)
INVERSE = scaled("inverse", lambda call: 1 / call.q.shape[3])
MERGED = scaled("merged", lambda call: (call.q.shape[1] * call.q.shape[3]) ** -0.5)
DEFAULT = scaled("default", lambda call: call.q.shape[3] ** -0.5)
LARGER = scaled("larger", lambda call: call.scale * 1.37)
SLIGHT = scaled("slight", lambda call: call.scale * 1.001)
NONE = scaled("none", lambda call: 0.0)
CURE = "scale = q.shape[-1] ** -0.5"
CASES = (
    traced(MISSING, "h4 t64 d64 full", "scale_missing", "the scale is missing, expected 0.125",
           CURE),
    traced(TWICE, "h4 t64 d64 full", "scale_twice", "multiplied by 0.125 twice, that is 0.015625",
           "multiply by the scale once"),
    traced(TWICE, "h4 t64 d64 causal train", "scale_twice", "0.125 twice", "once"),
    traced(INVERSE, "h4 t64 d64 full", "scale_twice", "that is 0.015625 = 1/D, expected 0.125",
           "once"),
    traced(INVERSE, "h4 t64 d32 full scale0.3", "scale_wrong", "multiplied by 0.03125, that is "
           "1/D, expected 0.3", CURE),
    traced(MERGED, "h4 t64 d64 full", "scale_wrong", "that is 1/sqrt(E), E = Hq * D = 256 of all "
           "heads together, expected 0.125", CURE),
    traced(DEFAULT, "h4 t64 d64 full scale0.2125", "scale_ignored", "multiplied by 0.125, that is "
           "1/sqrt(D), expected 0.2125", "Limits(own_scale=False)"),
    traced(LARGER, "h4 t64 d64 full", "scale_wrong", "multiplied by 0.17125, expected 0.125", CURE),
    traced(LARGER, "h4 t64 d64 scale0.3 full", "scale_wrong", "multiplied by 0.411, expected 0.3",
           "use the argument scale"),
    traced(SLIGHT, "h4 t64 d64 full", "scale_wrong", "multiplied by 0.125125, expected 0.125",
           CURE),
    traced(TWICE, "h4 t64 d64 full bf16", "scale_twice", "0.125 twice", "once"),
    traced(NONE, "h4 t64 d64 causal", "scores_ignored", "out is the mean of v", "q @ k.transpose"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_scale_that_was_applied_is_named(case: Traced) -> None:
    case.holds()
