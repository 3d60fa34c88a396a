"""Verdicts are withheld where disturbed rounds contradict them, and never become more certain."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.stats.disturbance import contradicts, judge_pair
from suites.stats.pairing import Pair
from suites.stats.verdicts import judge

SPREAD = (0.001, -0.001, 0.002, -0.002, 0.0)
LOG_RATIOS = st.lists(st.floats(-0.2, 0.2), max_size=6).map(tuple)


def around(ratio: float, wider: float = 1) -> tuple[float, ...]:
    return tuple(log(ratio) + wider * each for each in SPREAD)


def pair_of(
    used: tuple[float, ...],
    every: tuple[float, ...] | None = None,
    quiet: tuple[float, ...] | None = None,
) -> Pair:
    return Pair(
        log_ratios=used,
        all_log_ratios=used if every is None else every,
        quiet_log_ratios=used if quiet is None else quiet,
    )


def test_a_verdict_on_undisturbed_rounds_is_the_plain_one() -> None:
    assert judge_pair(pair_of(around(1.2)), delta=0.01) == judge(around(1.2), delta=0.01)


def test_a_run_without_a_quiet_round_keeps_its_verdict() -> None:
    found = judge_pair(pair_of(around(1.66, 20), quiet=()), delta=0.01)
    assert (found.word, found.withheld) == ("slower", False)


@pytest.mark.parametrize(
    ("used", "other"),
    [
        (1.2, around(0.8)),  # another word
        (0.8, around(1.2)),
        (1.2, around(1.0)),  # slower, and the same
        (1.0, around(1.2)),
        (0.9, around(1.2, 500)),  # nothing decided, yet on the other side of 1
        (1.2, (log(0.9),)),  # one session
    ],
)
@pytest.mark.parametrize("name", ["every", "quiet"])
def test_a_verdict_that_other_rounds_contradict_is_withheld_with_the_reason(
    used: float, other: tuple[float, ...], name: str
) -> None:
    plain = judge(around(used), delta=0.01)
    found = judge_pair(pair_of(around(used), **{name: other}), delta=0.01)
    assert (found.word, found.withheld, found.more_sessions) == ("inconclusive", True, None)
    assert (found.ratio, found.interval) == (plain.ratio, plain.interval)
    rounds = "all rounds" if name == "every" else "the quiet rounds alone"
    assert found.reason.startswith(f"withheld: {rounds} give the ratio ")


@pytest.mark.parametrize(
    ("used", "other"),
    [
        (1.2, around(1.3)),
        (1.2, around(1.2, 500)),  # few rounds decide nothing
        (1.2, around(0.995, 500)),  # on the other side of 1, by less than delta
        (1.0, around(1.03, 500)),
    ],
)
def test_rounds_that_agree_or_decide_nothing_contradict_nothing(
    used: float, other: tuple[float, ...]
) -> None:
    found = judge_pair(pair_of(around(used), quiet=other), delta=0.01)
    assert found == judge(around(used), delta=0.01)


def test_an_open_verdict_stays_as_it_is() -> None:
    wide = around(1.0, 30)
    found = judge_pair(pair_of(wide, every=around(1.5), quiet=around(0.5)), delta=0.01)
    assert found == judge(wide, delta=0.01)
    assert not contradicts(found, judge(around(1.5), delta=0.01))


def test_a_restriction_of_the_verdict_is_kept_before_the_reason() -> None:
    rounds = tuple(log(1.2) + each for each in (*SPREAD, *SPREAD))
    found = Pair(log_ratios=(log(1.2),), all_log_ratios=(log(0.8),), rounds=rounds)
    assert judge_pair(found, delta=0.01).reason == (
        "one session: it holds within this process only; withheld: all rounds give the ratio 0.8"
    )


@given(LOG_RATIOS, LOG_RATIOS, LOG_RATIOS)
def test_no_verdict_becomes_more_certain(
    used: tuple[float, ...], every: tuple[float, ...], quiet: tuple[float, ...]
) -> None:
    plain = judge(used, delta=0.01, floor=0.02)
    found = judge_pair(pair_of(used, every, quiet), delta=0.01, floor=0.02)
    assert found.word in (plain.word, "inconclusive")
    assert (found.ratio, found.interval, found.floor) == (plain.ratio, plain.interval, plain.floor)
    assert found.withheld == (found.word != plain.word)
