"""Ratios, intervals and floors: worked by hand, and on series that trip others up."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import accumulate
from math import comb, exp, log
from pathlib import Path

import pytest

from suites.stats.intervals import (
    FEWEST_ROUNDS,
    Interval,
    Unsettled,
    between_runs,
    log_ratio,
    mean_half_width,
    noise_floor,
    over_sessions,
    sessions_for,
    within_process,
)

NAN = float("nan")


def interval(found: Interval | Unsettled) -> Interval:
    assert isinstance(found, Interval)
    return found


def reason(found: Interval | Unsettled) -> str:
    assert isinstance(found, Unsettled)
    return found.reason


def test_a_paired_ratio_is_the_median_over_the_rounds() -> None:
    assert log_ratio([1, 2, 10], [2, 2, 30], paired=True) == pytest.approx(log(2))


def test_an_unpaired_ratio_is_that_of_the_medians_for_any_counts() -> None:
    assert log_ratio([1, 2, 10], [6], paired=False) == pytest.approx(log(3))


def test_a_drift_that_both_share_leaves_the_paired_ratio_alone() -> None:
    drifting = [1.0, 1.5, 2.0, 2.5]
    assert log_ratio(drifting, [1.1 * t for t in drifting], paired=True) == pytest.approx(log(1.1))


def test_pairs_of_unequal_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="2 samples beside 3 of the baseline; expected as many"):
        log_ratio([1, 1, 1], [1, 1], paired=True)


def test_the_half_width_of_a_mean_is_that_of_student() -> None:
    assert mean_half_width([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / math.sqrt(3))
    assert mean_half_width([2.0, 2.0]) == 0.0
    assert mean_half_width([2.0]) is None


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("sample", [0.0, -1.0, NAN, math.inf])
def test_a_sample_that_is_no_time_is_refused(sample: float, *, paired: bool) -> None:
    for base, other in (([1.0, sample], [1.0, 1.0]), ([1.0, 1.0], [1.0, sample])):
        with pytest.raises(ValueError, match=r"a sample of \S+ ms; expected more than 0"):
            log_ratio(base, other, paired=paired)


@pytest.mark.parametrize("paired", [True, False])
def test_no_samples_are_refused(*, paired: bool) -> None:
    with pytest.raises(ValueError, match="no samples; expected at least 1"):
        log_ratio([], [], paired=paired)


def test_the_interval_over_sessions_is_students() -> None:
    found = interval(over_sessions([0.0, 0.1, 0.2]))
    half = 4.302653 * 0.1 / math.sqrt(3)  # the quantile of 2 degrees of freedom
    assert found.estimate == pytest.approx(exp(0.1))
    assert found.low == pytest.approx(exp(0.1 - half))
    assert found.high == pytest.approx(exp(0.1 + half))
    assert found.half_width == pytest.approx(exp(half) - 1)
    assert (found.count, found.basis) == (3, "sessions")


def test_an_interval_needs_two_sessions() -> None:
    assert reason(over_sessions([0.1])) == "an interval takes 2 sessions, not 1"
    assert reason(over_sessions([])) == "an interval takes 2 sessions, not 0"
    assert (
        reason(between_runs([0.1, 0.2], [0.1])) == "an interval takes 2 sessions of each run, not 1"
    )


@pytest.mark.parametrize("log_ratios", [[0.0] * 5, [log(1.3)] * 5, [0.3, 0.3 + 1e-16, 0.3]])
def test_sessions_without_spread_give_no_interval(log_ratios: list[float]) -> None:
    assert reason(over_sessions(log_ratios)).startswith("the samples tie: the clock is too coarse")
    assert sessions_for(log_ratios, 0.01) is None


def test_a_ratio_that_is_no_number_is_refused() -> None:
    for call in (over_sessions, within_process):
        with pytest.raises(ValueError, match="a log ratio of nan; expected a finite number"):
            call([0.1, NAN, 0.1, 0.1, 0.2, 0.1])


def test_the_interval_between_runs_is_welchs() -> None:
    found = interval(between_runs([0.0, 0.2, 0.1, 0.1], [0.3, 0.5, 0.4, 0.4]))
    half = 2.446912 * math.sqrt(2 * (0.02 / 3) / 4)  # equal spreads: 6 degrees of freedom
    assert found.estimate == pytest.approx(exp(0.3))
    assert (found.low, found.high) == pytest.approx((exp(0.3 - half), exp(0.3 + half)))


def test_a_run_without_spread_leaves_the_degrees_of_freedom_to_the_other() -> None:
    found = interval(between_runs([0.1] * 50, [0.0, 0.1, 0.2]))
    assert found.half_width == pytest.approx(interval(over_sessions([0.0, 0.1, 0.2])).half_width)


@pytest.mark.parametrize("count", range(FEWEST_ROUNDS))
def test_fewer_than_six_rounds_have_no_interval(count: int) -> None:
    assert reason(within_process([0.1 * n for n in range(count)])).endswith("an interval takes 6")


@pytest.mark.parametrize(("count", "out"), [(6, 0), (8, 0), (9, 1), (12, 2), (20, 5), (100, 39)])
def test_the_ends_of_the_sign_interval_are_rounds(count: int, out: int) -> None:
    found = interval(within_process([n / 100 for n in reversed(range(count))]))
    assert found.low == pytest.approx(exp(out / 100))
    assert found.high == pytest.approx(exp((count - 1 - out) / 100))
    assert (found.count, found.basis) == (count, "this process")


@pytest.mark.parametrize("count", range(FEWEST_ROUNDS, 60))
def test_the_sign_interval_covers_95_of_100_and_no_narrower_one_does(count: int) -> None:
    found = interval(within_process([float(n) for n in range(count)]))
    out = round(log(found.low))
    misses = [each / 2**count for each in accumulate(comb(count, n) for n in range(count))]
    assert 2 * misses[out] <= 0.05 < 2 * misses[out + 1]


def test_ties_among_the_rounds_are_allowed() -> None:
    found = interval(within_process([0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1]))
    assert (found.low, found.high) == pytest.approx((1, exp(0.1)))


@pytest.mark.parametrize("rounds", [[0.0] * 9, [0.1] * 9, [0.0, *[0.1] * 12, 0.2]])
def test_rounds_that_tie_throughout_give_no_interval(rounds: list[float]) -> None:
    assert reason(within_process(rounds)).startswith("the samples tie: the clock is too coarse")


def test_the_noise_floor_uses_the_known_mean_of_twins() -> None:
    floor = noise_floor([0.01, -0.01, 0.01, -0.01], sessions=4)
    assert floor == pytest.approx(exp(2.776445 * 0.01 / 2) - 1)  # 4 degrees of freedom, not 3


def test_without_a_twin_there_is_no_floor() -> None:
    assert noise_floor([], sessions=4) is None
    assert noise_floor([0.01], sessions=0) is None


def test_the_floor_falls_with_the_number_of_sessions() -> None:
    few, many = (noise_floor([0.01, -0.02], sessions=n) for n in (2, 20))
    assert few is not None
    assert many is not None
    assert many < few


def test_sessions_for_a_precision_are_the_fewest_that_reach_it() -> None:
    log_ratios = [0.0, 0.02, -0.02, 0.01, -0.01]
    needed = sessions_for(log_ratios, 0.01)
    assert needed is not None
    spread = math.sqrt(0.001 / 4)
    half = {n: 2.1 * spread / math.sqrt(n) for n in (needed - 2, needed + 2)}
    assert half[needed + 2] < log(1.01) < half[needed - 2]


def test_a_precision_that_is_reached_asks_for_no_more() -> None:
    needed = sessions_for([0.0, 0.0001, 0.0002, 0.0001], 0.01)
    assert needed == 2


def test_above_a_thousand_sessions_no_number_is_given() -> None:
    assert sessions_for([-1.0, 1.0, -1.0, 1.0], 0.001) is None
    assert sessions_for([0.5], 0.001) is None


def test_statistics_import_neither_torch_nor_scipy() -> None:
    code = (
        "import sys, suites.stats.verdicts; "
        "sys.exit(bool({'torch', 'scipy', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    child = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    assert child.returncode == 0
