import numpy as np
import pytest

from reports.analysis.ranking.crossings import crossings
from tests.reports.analysis.ranking.simulated import (
    FEW,
    LENGTHS,
    PERHAPS,
    SAME,
    SCENARIOS,
    Scenario,
    covered,
    power,
    simulated,
)

MANY, RUNS = 1000, 300
FIVE = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])[:, None]


def test_the_interval_covers_the_crossing_as_often_as_it_says() -> None:
    held, shown = 0, 0
    for seed, scenario in enumerate(SCENARIOS, start=1):
        found = simulated(scenario, MANY, seed)
        for truth in scenario.truths:
            own = covered(found, truth)
            assert own[1] == MANY, scenario.name
            # 0.93 to 0.97, and two standard errors of so many runs
            assert 0.915 <= own[0] / own[1] <= 0.985, scenario.name
            held, shown = held + own[0], shown + own[1]

    assert shown == 12 * MANY
    assert 0.94 <= held / shown <= 0.965


@pytest.mark.parametrize("scenario", PERHAPS, ids=lambda each: each.name)
def test_an_interval_at_the_end_of_the_range_covers_what_lies_beyond(scenario: Scenario) -> None:
    found = simulated(scenario, 2 * RUNS, 3)
    held, shown = covered(found, scenario.truths[0])

    assert 0 < shown < 2 * RUNS
    assert held / shown >= 0.92
    # The chance that the order does not change is high where it is unclear, and never made up.
    chances = [each[0].absent for each in found if each]
    assert 0.1 < np.mean([chance for chance in chances if chance is not None]) < 0.5


@pytest.mark.parametrize("scenario", FEW, ids=lambda each: each.name)
def test_few_lengths_make_the_interval_wider_never_too_narrow(scenario: Scenario) -> None:
    held, shown = covered(simulated(scenario, RUNS, 4), scenario.truths[0])

    assert shown >= 0.95 * RUNS
    assert held / shown >= 0.92


def test_the_same_code_hardly_ever_has_a_crossing_with_a_closed_interval() -> None:
    closed = [
        one
        for each in simulated(SAME, 2 * RUNS, 5)
        for one in each
        if one.low is not None and one.high is not None
    ]

    assert len(closed) <= 0.05 * 2 * RUNS


def test_a_clear_crossing_is_found_where_it_is_with_no_chance_of_none() -> None:
    (found,) = crossings(LENGTHS, power(1, at=700)(np.array(LENGTHS)) + FIVE)

    assert found.size == pytest.approx(700)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 700 < found.high
    # 2.776 standard errors of the mean of five offsets, in a slope of 1
    assert np.log(found.high / found.low) == pytest.approx(2 * 2.776 * 0.0158 / 5**0.5, rel=0.01)
    assert (found.rising, found.between, found.settled, found.absent) == (True, (2, 3), True, 0)


def test_the_other_way_round_the_crossing_stays_where_it_is() -> None:
    ratios = power(0.3, at=900)(np.array(LENGTHS)) + FIVE
    (one,), (other,) = crossings(LENGTHS, ratios), crossings(LENGTHS, -ratios)

    assert (one.size, one.low, one.high) == (other.size, other.low, other.high)
    assert one.rising is not other.rising


def test_an_order_that_never_changes_has_no_crossing() -> None:
    assert crossings(LENGTHS, 0.3 + 0 * np.array(LENGTHS) + FIVE) == []


def test_several_crossings_are_found_in_order() -> None:
    curve = np.array([-1, 1, -1, 1, 1, -1]) * 0.5
    found = crossings(LENGTHS, curve + FIVE)

    assert [each.rising for each in found] == [True, False, True, False]
    assert [each.between for each in found] == [(0, 1), (1, 2), (2, 3), (4, 5)]


def test_there_and_back_within_the_noise_is_no_change() -> None:
    curve = np.array([0.5, 0.5, -0.001, 0.5, 0.5, 0.5])

    assert crossings(LENGTHS, curve + FIVE) == []


def test_there_and_back_and_there_within_the_noise_is_one_change() -> None:
    curve = np.array([-0.5, -0.001, 0.001, -0.001, 0.001, 0.5])
    (found,) = crossings(LENGTHS, curve + FIVE)

    assert found.low is not None
    assert found.high is not None
    assert 128 < found.low < 256
    assert 2048 < found.high < 4096
    assert found.rising


def test_an_interval_without_a_significant_order_at_an_end_is_open() -> None:
    curve = np.array([-0.001, 0.1, 0.2, 0.3, 0.4, 0.5])
    (found,) = crossings(LENGTHS, curve + FIVE)

    assert found.low is None
    assert found.high is not None
    assert found.absent is not None
    assert 0.3 < found.absent < 0.6


def test_without_a_significant_order_there_is_no_crossing() -> None:
    curve = np.array([-0.001, 0.001, 0.002, -0.001, 0.001, 0.002])

    assert crossings(LENGTHS, curve + FIVE) == []


@pytest.mark.parametrize("sessions", [1, 3])
def test_one_session_and_sessions_that_tie_have_a_crossing_and_no_interval(sessions: int) -> None:
    curve = power(1, at=700)(np.array(LENGTHS))
    (found,) = crossings(LENGTHS, np.repeat(curve[None, :], sessions, axis=0))

    assert found.size == pytest.approx(700)
    assert (found.settled, found.low, found.high, found.absent) == (False, None, None, None)


def test_equal_times_at_a_length_are_not_slower() -> None:
    (found,) = crossings((128, 256, 512), np.array([[-0.1, 0.0, 0.1]]))

    assert found.size == pytest.approx(256)
