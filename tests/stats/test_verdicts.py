"""Verdicts: what is concluded, what is withheld, and what is said instead."""

from __future__ import annotations

from math import exp, log

import pytest

from suites.stats.intervals import Interval, over_sessions
from suites.stats.verdicts import (
    Verdict,
    false_verdicts,
    judge,
    judge_between,
    more_sessions,
)

SPREAD = (-0.002, 0.001, 0.0, 0.002, -0.001)


def around(ratio: float, wider: float = 1.0) -> list[float]:
    """Five sessions whose mean is this ratio."""
    return [log(ratio) + wider * each for each in SPREAD]


@pytest.mark.parametrize(
    ("ratio", "word"),
    [(0.9, "faster"), (1.1, "slower"), (1.0, "same"), (1.004, "same"), (0.985, "faster")],
)
def test_a_clear_ratio_has_a_verdict(ratio: float, word: str) -> None:
    given = judge(around(ratio), delta=0.01)
    assert (given.word, given.reason, given.more_sessions) == (word, "", None)
    assert given.ratio == pytest.approx(ratio)
    assert given.interval is not None
    assert given.interval.count == 5


@pytest.mark.parametrize("ratio", [0.8, 0.97, 0.995, 1.0, 1.0123, 1.4])
@pytest.mark.parametrize("wider", [1, 5, 50])
def test_swapping_the_two_inverts_the_verdict(ratio: float, wider: float) -> None:
    turned = {"faster": "slower", "slower": "faster"}
    ours = judge(around(ratio, wider), delta=0.01, floor=0.002)
    theirs = judge([-each for each in around(ratio, wider)], delta=0.01, floor=0.002)
    assert theirs.word == turned.get(ours.word, ours.word)
    assert theirs.more_sessions == ours.more_sessions


def test_a_difference_within_delta_is_neither_faster_nor_slower() -> None:
    given = judge(around(1.0095), delta=0.01)
    assert given.interval is not None
    assert given.interval.excludes_one
    assert given.word == "inconclusive"
    assert given.reason == "it differs, but perhaps by less than 1 %"


def test_an_interval_that_contains_1_is_neither_faster_nor_slower() -> None:
    given = judge(around(1.02, wider=20), delta=0.01)
    assert given.word == "inconclusive"
    assert given.reason == "the interval contains 1 and differences above 1 %"


def test_same_is_withheld_where_identical_code_differs_by_more_than_delta() -> None:
    given = judge(around(1.0), delta=0.01, floor=0.02)
    assert given.word == "inconclusive"
    assert given.reason == "within 1 %, but the noise floor is above that"
    assert given.more_sessions == 15  # twice too wide: four times the sessions
    assert judge(around(1.0), delta=0.02, floor=0.02).word == "same"


def test_a_difference_that_identical_code_may_show_here_is_inconclusive() -> None:
    given = judge(around(1.015), delta=0.01, floor=0.02)
    assert (given.word, given.delta, given.floor) == ("inconclusive", 0.01, 0.02)
    assert given.more_sessions is not None
    assert judge(around(1.015), delta=0.01, floor=0.014).word == "slower"  # delta is not enlarged
    assert judge(around(1 / 1.015), delta=0.01, floor=0.014).word == "faster"
    assert given.reason == "the difference is not above the noise floor"


def test_the_estimated_number_of_further_sessions_decides_an_inconclusive_ratio() -> None:
    for ratio in (1.0, 1.005, 1.02):
        log_ratios = around(ratio, wider=12)
        more = judge(log_ratios, delta=0.01).more_sessions
        assert more is not None
        enough = log_ratios * (1 + more // 5 + 1)
        assert judge(log_ratios, delta=0.01).word == "inconclusive"
        assert judge(enough, delta=0.01).word in ("same", "slower")


def test_without_a_number_of_sessions_that_decides_there_is_no_estimate() -> None:
    at_delta = around(1.01)
    assert more_sessions(at_delta, delta=exp(sum(at_delta) / 5) - 1) is None
    assert more_sessions(around(1.0101, wider=300), delta=0.01) is None
    assert more_sessions([0.1], delta=0.01) is None
    assert more_sessions([0.1, 0.1], delta=0.01) is None
    assert more_sessions([], delta=0.01) is None
    assert more_sessions(around(1.1), delta=0.01) == 0


def test_a_series_with_itself_is_neither_faster_nor_slower() -> None:
    given = judge([0.0] * 7, delta=0.01, rounds=[0.0] * 20)
    assert (given.word, given.interval, given.ratio) == ("not judged", None, 1)
    assert given.reason == "the samples tie: the clock is too coarse for an interval"
    alone = judge([0.0], delta=0.01, rounds=[0.0] * 20)
    assert alone.word == "not judged"


def test_one_session_is_judged_by_its_rounds_with_that_restriction() -> None:
    rounds = [log(1.2) + each for each in (*SPREAD, *SPREAD)]
    given = judge([log(1.2)], delta=0.01, rounds=rounds)
    assert given.interval is not None
    assert (given.word, given.interval.basis) == ("slower", "this process")
    assert given.reason == "one session: it holds within this process only"
    wide = judge([log(1.2)], delta=0.01, rounds=[30 * each for each in rounds])
    assert (wide.word, wide.more_sessions) == ("slower", None)


def test_same_is_withheld_within_a_process_too() -> None:
    given = judge([0.0], delta=0.01, floor=0.02, rounds=[*SPREAD, *SPREAD])
    assert (given.word, given.more_sessions) == ("inconclusive", None)
    assert given.reason == (
        "one session: it holds within this process only; "
        "within 1 %, but the noise floor is above that"
    )


@pytest.mark.parametrize("rounds", [[], [0.1], [0.1, 0.2, 0.3, 0.4, 0.5]])
def test_too_few_samples_are_not_judged(rounds: list[float]) -> None:
    given = judge([0.3], delta=0.01, rounds=rounds)
    assert (given.word, given.interval) == ("not judged", None)
    assert given.ratio == pytest.approx(exp(0.3))
    assert given.reason == "one session; an interval takes 2, or 6 rounds of it"


def test_no_session_is_not_judged() -> None:
    for given in (judge([], delta=0.01), judge_between([], [0.1, 0.2], delta=0.01)):
        assert (given.word, given.ratio) == ("not judged", None)
        assert given.reason == "no session measured both"


def test_with_several_sessions_rounds_are_not_used() -> None:
    wide = around(1.0, wider=30)
    assert judge(wide, delta=0.01, rounds=[log(2)] * 9).word == "inconclusive"


def test_two_runs_are_judged_by_how_their_ratios_differ() -> None:
    def between(base: float, new: float, **how: float) -> Verdict:
        return judge_between(around(base), around(new), **{"delta": 0.01, **how})

    assert between(0.5, 0.5).word == "same"
    assert between(0.5, 0.55).word == "slower"
    assert between(0.5, 0.45).word == "faster"
    assert between(0.5, 0.55).ratio == pytest.approx(1.1)
    assert between(0.5, 0.5, floor=0.03).word == "inconclusive"
    wide = judge_between(around(1.0, 20), around(1.02, 20), delta=0.01)
    assert wide.word == "inconclusive"
    assert wide.more_sessions is not None


def test_one_session_of_a_run_cannot_be_held_against_another_run() -> None:
    given = judge_between([0.1], around(1.1), delta=0.01)
    assert given.word == "not judged"
    assert given.reason == "an interval takes 2 sessions of each run, not 1"


def test_a_verdict_carries_its_interval() -> None:
    given = judge(around(1.1), delta=0.01)
    assert isinstance(given.interval, Interval)
    assert given.interval == over_sessions(around(1.1))


def test_one_interval_in_twenty_excludes_1_by_chance() -> None:
    assert false_verdicts(97) == pytest.approx(4.85)
