"""Set-up: after how many calls it has paid for itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reports.analysis.profile.set_up import Paid, paid, set_up_rows
from suites.records.record import Record
from suites.stats.verdicts import WORDS
from tests.reports.differences_by_hand import FUSED, compared, profile, times
from tests.reports.profiled_by_hand import PROBLEM


def records(
    call_ms: Sequence[float], first_ms: Sequence[float], prepare_ms: float | None = None
) -> list[Record]:
    """A record for each session."""
    return [
        Record(
            session=session,
            problem=PROBLEM,
            implementation="mine",
            status="ok",
            times_ms=(later,),
            first_call_ms=first,
            prepare_ms=prepare_ms,
        )
        for session, (later, first) in enumerate(zip(call_ms, first_ms, strict=True), 1)
    ]


def test_set_up_is_paid_after_the_calls_that_save_as_much() -> None:
    """Set-up of 101 ms against 1 ms; each later call saves 1 ms."""
    own = records([1.0] * 3, [21.0] * 3, prepare_ms=80.0)
    other = records([2.0] * 3, [1.0] * 3)
    found = paid(own, other, faster="faster")
    assert found.outcome == "paid"
    assert found.calls == pytest.approx(101.0)
    assert (found.low, found.high) == (None, None)  # no spread, as with a coarse clock


def test_the_interval_is_over_the_sessions() -> None:
    own, other = records([1.0, 1.0, 1.0], [11.0, 12.0, 13.0]), records([2.0] * 3, [1.0] * 3)
    found = paid(own, other, faster="faster")
    assert found.calls == pytest.approx(1 + (10 * 11 * 12) ** (1 / 3))
    assert found.low is not None
    assert found.high is not None
    assert 1 < found.low < 11
    assert found.high > 13


def test_without_being_faster_it_never_pays() -> None:
    own, other = records([1.0] * 3, [11.0] * 3), records([2.0] * 3, [1.0] * 3)
    for word in WORDS:
        if word != "faster":
            assert paid(own, other, faster=word) == Paid("never")


def test_a_set_up_that_takes_no_longer_is_paid_at_once() -> None:
    own, other = records([1.0] * 3, [5.0] * 3), records([2.0] * 3, [5.0] * 3)
    assert paid(own, other, faster="faster") == Paid("at once")


def test_a_session_without_a_number_of_calls_leaves_the_medians_and_no_interval() -> None:
    own, other = records([1.0] * 3, [0.5, 11.0, 11.0]), records([2.0] * 3, [1.0] * 3)
    assert paid(own, other, faster="faster") == Paid("paid", 11.0)
    own = records([2.5, 1.0, 1.0], [11.0] * 3)
    assert paid(own, other, faster="faster") == Paid("paid", 11.0)


def test_only_sessions_that_timed_both_count() -> None:
    own, other = records([1.0] * 3, [11.0] * 3), records([2.0] * 2, [1.0] * 2)
    assert paid(own, other, faster="faster").calls == pytest.approx(11.0)
    assert paid(own, [], faster="faster") == Paid("never")


def test_one_session_has_an_estimate_without_an_interval() -> None:
    own, other = records([1.0], [11.0]), records([2.0], [1.0])
    assert paid(own, other, faster="faster") == Paid("paid", 11.0)


def test_the_baseline_is_judged_from_its_own_side() -> None:
    own, other = profile("mine"), profile("yours", FUSED)
    found = compared(own, other, times(mine=2.0, yours=1.0))
    (row,) = set_up_rows(found)
    assert row.profile is own
    assert row.other is not None
    assert row.other.implementation == "yours"
    assert row.paid == Paid("never")
    assert row.baseline == Paid("at once")  # neither has any set-up


def test_a_baseline_alone_has_a_row_without_a_comparison() -> None:
    own, other = profile("mine"), profile("yours", FUSED)
    found = compared(own, other, times(mine=2.0, yours=1.0))
    (row,) = set_up_rows(type(found)(found.analysis, (other,)))
    assert (row.profile, row.other, row.paid) == (other, None, None)
