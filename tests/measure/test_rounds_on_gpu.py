"""Rounds on a GPU, on a virtual clock: their number, and what they take."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from suites.measure.cuda import EventSampler, Spin
from suites.measure.rounds import (
    FEWEST_ON_GPU,
    Arm,
    Moment,
    Schedule,
    rounds_within,
    run_rounds,
)
from suites.measure.timing import CUDA_SAMPLE_MS
from tests.measure.fake_cuda import FakeCuda

ARMS: Final = 10
"""Nine implementations and the twin."""
BUDGETS_MS: Final = (120.0, 250.0)
"""Of the suites."""


class QuietGauge:
    def start(self) -> None:
        pass

    def stop(self) -> Moment:
        return Moment(probe_ms=0.3, run_delay_ms=0.0, involuntary_switches=0, disturbed="")


def arms_of(cuda: FakeCuda, call_ms: float, count: int = ARMS) -> list[Arm]:
    """Arms whose samplers know how long launches take, as after the set-up."""
    spin, call = Spin(cuda), cuda.kernel(1e3 * call_ms, host_us=8)
    arms = []
    for place in range(count):
        sampler = EventSampler(cuda, spin=spin, now_ns=cuda.now_ns)
        sampler.take([call], 1)
        arms.append(Arm(f"{place}", [call, call], call_ms, sampler, sample_ms=CUDA_SAMPLE_MS))
    return arms


def rounds_of(arms: list[Arm], budget_ms: float) -> int:
    return rounds_within(budget_ms, arms, refresh_ms=0.5, fewest_short=FEWEST_ON_GPU)


@pytest.mark.parametrize("budget_ms", BUDGETS_MS)
@pytest.mark.parametrize("call_ms", [0.005, 0.05, 0.3, 0.7, 0.99])
def test_calls_below_a_millisecond_have_fifteen_rounds_with_nine_implementations(
    call_ms: float, budget_ms: float
) -> None:
    assert rounds_of(arms_of(FakeCuda(), call_ms), budget_ms) >= FEWEST_ON_GPU


@pytest.mark.parametrize("call_ms", [0.005, 0.05, 0.3, 0.7, 0.99])
def test_a_sample_of_short_calls_takes_one_to_two_milliseconds(call_ms: float) -> None:
    (arm,) = arms_of(FakeCuda(), call_ms, 1)
    assert 1.0 <= arm.count * call_ms < 2.0


def test_long_calls_stay_within_their_budget() -> None:
    assert rounds_of(arms_of(FakeCuda(), 20.0), 120.0) == 1
    assert rounds_of(arms_of(FakeCuda(), 4.0), 250.0) == 2


@pytest.mark.parametrize("call_ms", [0.02, 0.3, 0.99])
def test_the_cost_of_a_round_includes_spins_and_the_refresh(call_ms: float) -> None:
    cuda = FakeCuda()
    arms = arms_of(cuda, call_ms)
    refresh = cuda.kernel(2.0, host_us=4.0, kernels=100)
    began_us = cuda.now_us
    run_rounds(
        arms,
        Schedule(20),
        Random(1),
        gauge=QuietGauge(),
        refresh=refresh,
        announce=lambda _: None,
        page_faults=lambda: 0,
    )
    cost_ms = 20 * (0.4 + sum(arm.round_ms for arm in arms))
    assert (cuda.now_us - began_us) / 1e3 == pytest.approx(cost_ms, rel=0.25)
