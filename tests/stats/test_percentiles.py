"""Percentiles and their intervals: against scipy, by simulation, and where calls are too few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from suites.stats.percentiles import Percentile, fewest, nearest_rank, percentile

EXPERIMENTS = 2000


@pytest.mark.parametrize("percent", [5, 50, 95, 99])
@pytest.mark.parametrize("count", [368, 369, 1000, 5000])
def test_intervals_are_those_of_scipy(percent: int, count: int) -> None:
    samples = np.random.default_rng(count).lognormal(size=count)
    found = percentile(samples.tolist(), percent)
    assert found is not None
    tested: Any = stats.quantile_test(samples, q=1, p=percent / 100)
    theirs = tested.confidence_interval(0.95)
    assert (found.low, found.high) == (theirs.low, theirs.high)
    assert found.low <= found.value <= found.high
    assert (found.percent, found.count) == (percent, count)


@pytest.mark.parametrize(("percent", "least"), [(50, 6), (95, 72), (99, 368), (1, 368)])
def test_too_few_calls_have_no_percentile(percent: int, least: int) -> None:
    assert fewest(percent) == least
    samples = [float(each) for each in range(least)]
    assert percentile(samples[1:], percent) is None
    assert percentile(samples, percent) is not None


@pytest.mark.parametrize("percent", [0, 100, -1])
def test_a_percent_outside_of_1_to_99_is_refused(percent: int) -> None:
    with pytest.raises(ValueError, match=f"percentile {percent}; expected a whole number"):
        percentile([1.0] * 1000, percent)


def test_a_percentile_is_the_smallest_sample_that_so_many_do_not_exceed() -> None:
    samples = [float(each) for each in range(1, 101)]
    assert [nearest_rank(samples, percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert nearest_rank([3.0], 99) == 3.0


def test_the_order_of_the_samples_does_not_matter() -> None:
    samples = np.random.default_rng(1).exponential(size=400)
    assert percentile(samples.tolist(), 99) == percentile(sorted(samples, reverse=True), 99)


@pytest.mark.parametrize(("percent", "count"), [(50, 100), (95, 400), (99, 400), (99, 2000)])
def test_intervals_of_independent_calls_hold_the_true_percentile(percent: int, count: int) -> None:
    draw = np.random.default_rng(percent)
    true = -np.log(1 - percent / 100)  # of an exponential distribution
    found = [percentile(draw.exponential(size=count).tolist(), percent) for _ in range(EXPERIMENTS)]
    held = np.mean([each.low <= true <= each.high for each in found if each is not None])
    assert held > 0.945  # 95 % and more, less twice the error of 2,000 experiments


def test_ties_of_a_coarse_clock_give_an_interval_of_one_value() -> None:
    assert percentile([0.3] * 400, 99) == Percentile(
        percent=99, value=0.3, low=0.3, high=0.3, count=400
    )
