"""Whether intervals hold what they promise, on simulated sessions whose truth is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from suites.stats.intervals import (
    Interval,
    Unsettled,
    between_runs,
    log_ratio,
    noise_floor,
    over_sessions,
    round_log_ratios,
    within_process,
)
from suites.stats.verdicts import judge

EXPERIMENTS = 2000
SESSIONS, ROUNDS = 5, 4
DRIFT, JITTER, OFFSET = 0.03, 0.02, 0.01

Times = npt.NDArray[np.float64]


def simulated(
    *,
    ratio: float = 1.0,
    arms: int = 2,
    sessions: int = SESSIONS,
    rounds: int = ROUNDS,
    offset: float = OFFSET,
    seed: int = 0,
) -> list[Any]:
    """Times in ms, [experiment][session][arm][round]; the last arm is slower by the ratio.

    The machine drifts by 3 % from sample to sample (AR(1)), every sample is late by a random part
    that is never negative, and each arm of each process is off by 1 % of its own.
    """
    draw = np.random.default_rng(seed)
    shape = (EXPERIMENTS, sessions)
    drift = wandering(draw, (*shape, rounds * arms))
    late = np.log1p(draw.exponential(JITTER, (*shape, rounds * arms)))
    own = draw.normal(0, offset, (*shape, arms)) if offset else np.zeros((*shape, arms))
    own[..., -1] += math.log(ratio)
    place = [[r * arms + (arm - r) % arms for r in range(rounds)] for arm in range(arms)]
    return np.exp((drift + late)[..., place] + own[..., None]).tolist()  # a Latin square


def wandering(draw: np.random.Generator, shape: tuple[int, ...], memory: float = 0.9) -> Times:
    """A drift of 3 % that forgets a tenth of itself with each sample."""
    steps = draw.normal(0, DRIFT * math.sqrt(1 - memory**2), shape)
    steps[..., 0] = draw.normal(0, DRIFT, shape[:-1])
    for place in range(1, shape[-1]):
        steps[..., place] += memory * steps[..., place - 1]
    return steps


def log_ratios(experiment: list[Any], base: int = 0, other: int = -1) -> list[float]:
    return [log_ratio(arms[base], arms[other], paired=True) for arms in experiment]


def intervals(found: list[Interval | Unsettled]) -> list[Interval]:
    assert all(isinstance(each, Interval) for each in found)
    return [each for each in found if isinstance(each, Interval)]


def covered(found: list[Interval], truth: float) -> float:
    """The part of intervals that hold the truth."""
    return float(np.mean([each.low <= truth <= each.high for each in found]))


@pytest.mark.parametrize(("ratio", "arms"), [(1.0, 2), (1.03, 3)])
def test_the_interval_over_sessions_contains_the_truth_in_95_of_100_cases(
    ratio: float, arms: int
) -> None:
    made = simulated(ratio=ratio, arms=arms, seed=arms)
    found = intervals([over_sessions(log_ratios(each)) for each in made])
    assert 0.93 <= covered(found, ratio) <= 0.97


def test_pooled_rounds_of_all_sessions_call_identical_code_different() -> None:
    pooled = [
        [ratio for arms in experiment for ratio in round_log_ratios(*arms)]
        for experiment in simulated(rounds=12, seed=2)
    ]
    found = intervals([within_process(each) for each in pooled])
    assert covered(found, 1.0) < 0.9


def test_one_process_with_an_offset_of_its_own_calls_identical_code_different() -> None:
    made = simulated(sessions=1, rounds=40, seed=3)
    found = intervals([within_process(round_log_ratios(*each[0])) for each in made])
    assert covered(found, 1.0) < 0.7


@pytest.mark.parametrize("rounds", [6, 10, 21])
def test_the_sign_interval_contains_the_truth_of_its_process(rounds: int) -> None:
    made = simulated(ratio=1.03, sessions=1, rounds=rounds, offset=0, seed=4)
    found = intervals([within_process(round_log_ratios(*each[0])) for each in made])
    assert covered(found, 1.03) >= 0.95


def test_identical_code_differs_by_more_than_the_noise_floor_in_5_of_100_cases() -> None:
    beyond = []
    for each in simulated(arms=3, seed=5):  # the baseline, its twin, and the same code once more
        floor = noise_floor(log_ratios(each, 0, 1), SESSIONS)
        assert floor is not None
        beyond.append(abs(np.mean(log_ratios(each, 0, 2))) > math.log1p(floor))
    assert 0.03 <= np.mean(beyond) <= 0.07


def test_the_interval_between_two_runs_contains_the_truth() -> None:
    base, new = simulated(seed=6), simulated(ratio=1.03, sessions=8, seed=7)
    pairs = zip(base, new, strict=True)
    found = intervals([between_runs(log_ratios(one), log_ratios(two)) for one, two in pairs])
    assert 0.93 <= covered(found, 1.03) <= 0.97


def test_verdicts_are_rarely_false() -> None:
    same = [judge(log_ratios(each), delta=0.01).word for each in simulated(seed=8)]
    assert np.mean([word in ("faster", "slower") for word in same]) <= 0.06
    slower = [judge(log_ratios(each), delta=0.01).word for each in simulated(ratio=1.03, seed=9)]
    assert np.mean([word in ("faster", "same") for word in slower]) <= 0.01
    assert np.mean([word == "slower" for word in slower]) >= 0.3
