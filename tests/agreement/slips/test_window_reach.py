"""Windows that are too long or too short are named with the side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.slips.tracing import Traced, softmaxed, traced


def reaching(left: int = 0, right: int = 0) -> Form:
    """A function whose window is so many keys longer on each side."""

    def function(call: AttentionCall) -> Tensor:
        sides = {"left": left, "right": right}
        reach = {
            side: had + more
            for side, more in sides.items()
            if (had := getattr(call.mask, side)) is not None
        }
        return attend(replace(call, mask=replace(call.mask, **reach)))

    function.__name__ = f"window_{left}_{right}"
    return function


def strictly_causal(call: AttentionCall) -> Tensor:
    apart = call.positions[:, None] - of_keys(call)
    return softmaxed(call, apart <= 0)


def causal_with_one_key_ahead(call: AttentionCall) -> Tensor:
    return softmaxed(call, call.positions[:, None] - of_keys(call) < -1)


def of_keys(call: AttentionCall) -> Tensor:
    return call.k.new_ones(call.k.shape[2]).cumsum(0) - 1


WINDOW, LEFT, RIGHT = "h4 t100 d16 window:16:5", "q_position - k_position < left", "<= right"
CASES = (
    traced(
        reaching(left=1),
        "h4 d16 window:9:3+rows:16/32+8/32",
        "left_reach_too_long",
        "the window is 1 key too long on the left: query 0 of Tq=24, Tk=64 sees keys 7..19, "
        "expected 8..19",
        LEFT,
    ),
    traced(
        reaching(left=1),
        WINDOW,
        "left_reach_too_long",
        "the window is 1 key too long on the left: query 16 of Tq=100, Tk=100 sees keys 0..21, "
        "expected 1..21",
        LEFT,
    ),
    traced(
        reaching(left=-1),
        WINDOW,
        "left_reach_too_short",
        "the window is 1 key too short on the left: query 15 of Tq=100, Tk=100 sees keys 1..20, "
        "expected 0..20",
        LEFT,
    ),
    traced(
        reaching(right=1),
        WINDOW,
        "right_reach_too_long",
        "the window is 1 key too long on the right: query 0 of Tq=100, Tk=100 sees keys 0..6, "
        "expected 0..5",
        RIGHT,
    ),
    traced(
        reaching(right=-1),
        WINDOW,
        "right_reach_too_short",
        "the window is 1 key too short on the right: query 0 of Tq=100, Tk=100 sees keys 0..4, "
        "expected 0..5",
        RIGHT,
    ),
    traced(
        causal_with_one_key_ahead,
        "h4 t64 d16 causal",
        "right_reach_too_long",
        "the mask is 1 key too long on the right: query 0 of Tq=64, Tk=64 sees keys 0..1, "
        "expected 0..0",
        RIGHT,
    ),
    traced(
        strictly_causal,
        "h4 t64 d16 causal",
        "right_reach_too_short",
        "query 0 of Tq=64, Tk=64 sees keys none, expected 0..0",
        RIGHT,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_side_of_a_wrong_window_is_named(case: Traced) -> None:
    case.holds()


@pytest.mark.parametrize("form", [reaching(left=1), reaching(left=-1)])
def test_a_wrong_window_of_a_large_problem_is_named_at_a_small_one(
    form: Callable[[AttentionCall], Tensor],
) -> None:
    word = "long" if form.__name__ == "window_1_0" else "short"
    sentence = f"the window is 1 key too {word} on the left: query 1"
    problem = "h4 t600 d16 window:100"
    traced(form, problem, f"left_reach_too_{word}", sentence, LEFT).holds()
