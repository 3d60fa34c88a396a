"""Ratios of records of the same sessions: rounds that count, and samples outside of rounds."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import Any

import pytest

from impls.interface import Problem
from suites.records.record import Conditions, Record
from suites.stats.pairing import APART, Pair, pair, twin_log_ratios


def record(session: int, *times_ms: float, **fields: Any) -> Record:
    return Record(
        session=session,
        problem=Problem.parse("h1 t16"),
        implementation="some",
        status="ok",
        times_ms=times_ms,
        **fields,
    )


def disturbed(*places: int, rounds: int) -> Conditions:
    return Conditions(disturbed=tuple("waited" if n in places else "" for n in range(rounds)))


def test_a_pair_has_a_log_ratio_for_each_session_that_timed_both() -> None:
    base = [record(1, 1, 1, 1), record(2, 1, 1, 1), record(4, 1, 1, 1)]
    other = [record(2, 2, 2, 3), record(1, 3, 3, 3), record(3, 9, 9, 9)]
    found = pair(base, other)
    assert found.log_ratios == pytest.approx((log(3), log(2)))
    assert found.all_log_ratios == found.log_ratios
    assert (found.tried, found.disturbed, found.note) == (6, 0, "")
    assert found.rounds == pytest.approx((log(2), log(2), log(3)))


def test_a_base_without_another_implementation_is_an_empty_pair() -> None:
    assert pair([record(1, 1)], []) == Pair()


def test_disturbed_rounds_are_left_out_and_counted() -> None:
    conditions = disturbed(1, 3, rounds=5)
    found = pair(
        [record(1, 1, 1, 1, 1, 1, conditions=conditions)],
        [record(1, 2, 9, 2, 9, 4, conditions=conditions)],
    )
    assert found.log_ratios == pytest.approx((log(2),))
    assert found.all_log_ratios == pytest.approx((log(4),))
    assert found.rounds == pytest.approx((log(2), log(2), log(4)))
    assert (found.tried, found.disturbed) == (5, 2)


@pytest.mark.parametrize("quiet", [0, 1, 2])
def test_a_session_with_less_than_half_of_its_rounds_quiet_counts_with_all(quiet: int) -> None:
    conditions = disturbed(*range(5 - quiet), rounds=5)
    found = pair(
        [record(1, 1, 1, 1, 1, 1, conditions=conditions)],
        [record(1, 2, 2, 2, 9, 9, conditions=conditions)],
    )
    assert found.log_ratios == found.all_log_ratios == pytest.approx((log(2),))
    assert found.disturbed == 5 - quiet


def test_a_sample_taken_apart_is_compared_by_medians() -> None:
    base, apart = record(1, 1, 2, 6), record(1, 8, in_rounds=False)
    found = pair([base], [apart])
    assert found.log_ratios == pytest.approx((log(4),))
    assert (found.rounds, found.note) == ((), APART)


def test_unequal_counts_are_compared_by_medians() -> None:
    found = pair([record(1, 1, 2, 6)], [record(1, 2, 4)])
    assert found.log_ratios == pytest.approx((log(1.5),))
    assert (found.rounds, found.note) == ((), APART)


def test_rounds_of_another_process_are_not_paired() -> None:
    base = record(1, 1, 2, 6, conditions=Conditions(probe_ms=(0.5, 0.5, 0.5)))
    anew = record(1, 4, 2, 2, conditions=Conditions(probe_ms=(0.6, 0.5, 0.5)))
    found = pair([base], [anew])
    assert found.log_ratios == (0,)
    assert (found.rounds, found.note) == ((), APART)


def test_a_sample_of_zero_ms_is_an_error() -> None:
    with pytest.raises(ValueError, match="a sample of 0 ms"):
        pair([record(1, 1, 1)], [record(1, 0, 1)])


def test_a_twin_gives_the_log_ratio_of_identical_code() -> None:
    conditions = disturbed(2, rounds=3)
    with_twin = record(1, 1, 1, 1, twin_ms=(1.1, 1.1, 9), conditions=conditions)
    assert twin_log_ratios([with_twin, record(1, 1, 1, 1)]) == pytest.approx([log(1.1)])


def test_a_twin_beside_samples_of_zero_ms_gives_no_log_ratio() -> None:
    with_twin = record(1, 1, 1, twin_ms=(1, 1))
    assert twin_log_ratios([replace(with_twin, times_ms=(0.0, 1.0))]) == []


def test_the_quiet_rounds_alone_give_a_ratio_of_their_own_from_two_on() -> None:
    few, one = disturbed(0, 1, 2, rounds=5), disturbed(0, 1, 2, 3, rounds=5)
    base = [record(n, 1, 1, 1, 1, 1, conditions=c) for n, c in ((1, few), (2, one))]
    other = [record(n, 2, 2, 2, 4, 4, conditions=c) for n, c in ((1, few), (2, one))]
    found = pair(base, other)
    assert found.log_ratios == found.all_log_ratios == pytest.approx((log(2), log(2)))
    assert found.quiet_log_ratios == pytest.approx((log(4),))


def test_without_a_disturbed_round_all_choices_of_rounds_are_the_same() -> None:
    base = [record(1, 1, 1, 1), record(2, 1, 1, 1, conditions=disturbed(rounds=3))]
    other = [record(1, 2, 2, 3), record(2, 2, 2, 3, conditions=disturbed(rounds=3))]
    found = pair(base, other)
    assert found.log_ratios == found.all_log_ratios == found.quiet_log_ratios
