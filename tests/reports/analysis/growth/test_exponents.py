"""Local exponents: over the sessions that measured both lengths, with their interval."""

from __future__ import annotations

import math

import pytest

from reports.analysis.growth.exponents import exponents, local
from reports.views.growth_tables import no_interval
from tests.reports.analysis.growth.simulated import series


def test_an_exponent_is_of_the_ratio_within_each_session() -> None:
    found = local(128, 256, {1: 1.0, 2: 10.0, 3: 5.0}, {1: 4.04, 2: 39.6, 3: 20.0})
    assert found.value == pytest.approx(2, abs=1e-4)  # sessions that differ tenfold agree on it
    assert found.low is not None
    assert found.high is not None
    assert found.low < 2 < found.high
    assert found.high - found.low < 0.1
    assert found.sessions == 3
    assert str(found) == f"2.00 [{found.low:.2f}, {found.high:.2f}]"


def test_lengths_need_not_double() -> None:
    assert local(100, 1000, {1: 1.0}, {1: 1000.0}).value == pytest.approx(3)


def test_its_interval_covers_the_truth_95_times_in_100() -> None:
    covered = []
    for made in series(30, seed=11):
        for i, size in enumerate(made.sizes[:-1]):
            short, longer = (dict(enumerate(made.times[:, place])) for place in (i, i + 1))
            found = local(size, made.sizes[i + 1], short, longer)
            assert found.low is not None
            assert found.high is not None
            covered.append(found.low <= math.log2(made.true[i + 1] / made.true[i]) <= found.high)
    assert 0.935 <= sum(covered) / len(covered) <= 0.965


def test_one_session_has_no_interval_and_says_so() -> None:
    found = local(128, 256, {1: 1.0, 2: 1.0}, {2: 2.0})
    assert found.value == pytest.approx(1)
    assert found.low is None
    assert found.high is None
    assert (found.sessions, no_interval(found)) == (1, "one session: no interval")
    assert str(found) == "1.00"


def test_lengths_of_different_sessions_have_no_interval_and_a_reason() -> None:
    found = local(128, 256, {1: 1.0}, {2: 4.0})
    assert found.value == pytest.approx(2)
    assert found.sessions == 0
    assert no_interval(found) == "no session measured both lengths"


def test_sessions_that_tie_give_no_interval() -> None:
    found = local(128, 256, {1: 1.0, 2: 2.0}, {1: 2.0, 2: 4.0})
    assert found.value == pytest.approx(1)
    assert found.low is None
    assert "the clock is too coarse" in no_interval(found)


def test_what_is_no_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="a sample of 0 ms; expected more than 0"):
        local(128, 256, {1: 0.0}, {1: 1.0})


@pytest.mark.parametrize("stood_still", [{1: 0.0, 2: 0.0}, {1: 0.0, 2: 2.0}])
def test_lengths_with_a_time_of_0_ms_are_left_out(
    stood_still: dict[int, float],
) -> None:
    told = [(size, {1: size / 64, 2: size / 65}) for size in (128, 256, 512, 1024)]
    found = exponents([told[0], (256, stood_still), *told[2:]])
    assert [(each.shorter, each.longer) for each in found] == [(128, 512), (512, 1024)]
    assert [each.value for each in found] == pytest.approx([1, 1])
    assert exponents([told[0], (256, stood_still)]) == []
