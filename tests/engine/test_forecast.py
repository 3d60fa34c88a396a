"""Forecasts of time and memory, and the pairs that fit a budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Problem
from suites.engine.costs import LAYER_WORK, OVERRUN, beside_s, check_s, drawn_ms, session_s
from suites.engine.forecast import Forecast, Foreseen, Pace, cheapest, foreseen
from suites.measure.layer_work import LAYERS, work
from suites.measure.rounds import FEWEST_ON_GPU
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Cause, Pair, Record, Status

GIB = 1 << 30


def checked(problem: Problem, ms: float, peak: int, name: str = "a") -> Record:
    return Record(
        session=CHECK,
        problem=problem,
        implementation=name,
        status="ok",
        spent_ms=ms,
        peak_bytes=peak,
    )


def problem(length: int, heads: int = 8, mask: str = "full") -> Problem:
    return Problem.parse(f"h{heads} t{length} {mask}")


def limit_of(forecast: Forecast, pair: Pair, settings: Plan) -> Foreseen:
    """The limit that a pair is expected to exceed."""
    found = foreseen(forecast, pair, settings)
    assert found is not None
    return found


def stopped(size: Problem, status: Status, cause: Cause) -> Record:
    """A record of the check of `a` that was stopped by a limit."""
    return Record(
        session=CHECK,
        problem=size,
        implementation="a",
        status=status,
        cause=cause,
        reason="because",
    )


def plan(**changes: float) -> Plan:
    return Plan(
        suite="x",
        problems=(),
        entries=(Entry(name="a"), Entry(name="b")),
        sessions=3,
        seed=0,
        round_budget_ms=400,
        time_limit_s=changes.get("time", 60.0),
        memory_limit=int(changes.get("memory", 16 * GIB)),
        threads=(2,),
    )


def test_quadratic_growth_between_two_sizes_is_extrapolated_to_the_next() -> None:
    forecast = Forecast([checked(problem(1024), 100, 1000), checked(problem(2048), 400, 4000)])
    assert forecast.call_ms((problem(8192), "a")) == pytest.approx(6400)
    assert forecast.peak_bytes((problem(8192), "a")) == pytest.approx(64000)


def test_linear_growth_under_a_window_is_extrapolated_as_linear() -> None:
    sizes = [checked(problem(t, mask="window:64"), t / 10, 10 * t) for t in (1024, 2048)]
    pair = (problem(16384, mask="window:64"), "a")
    assert Forecast(sizes).peak_bytes(pair) == pytest.approx(163840)
    assert Forecast(sizes).call_ms(pair) == pytest.approx(1638.4, rel=0.1)


def test_heads_grow_in_proportion() -> None:
    forecast = Forecast([checked(problem(1024, 4), 100, 1000)])
    assert forecast.call_ms((problem(1024, 16), "a")) == pytest.approx(400)


def test_growth_from_one_size_is_assumed_to_be_quadratic() -> None:
    assert Forecast([checked(problem(512), 10, 100)]).call_ms((problem(2048), "a")) == 160


def test_another_mask_another_implementation_and_a_smaller_size_have_no_forecast() -> None:
    forecast = Forecast([checked(problem(1024), 100, 1000)])
    assert forecast.call_ms((problem(2048, mask="causal"), "a")) is None
    assert forecast.call_ms((problem(2048), "b")) is None
    assert forecast.call_ms((problem(512), "a")) is None


def test_small_sizes_dominated_by_overhead_do_not_hide_the_growth() -> None:
    flat = Forecast([checked(problem(128), 10, 100), checked(problem(256), 10, 100)])
    assert flat.call_ms((problem(512), "a")) == pytest.approx(40)


def test_a_pair_that_would_exceed_a_limit_has_a_cause_and_a_reason() -> None:
    forecast = Forecast([checked(problem(1024), 100, GIB), checked(problem(2048), 400, 4 * GIB)])
    assert foreseen(forecast, (problem(2048), "a"), plan()) is None
    memory = limit_of(forecast, (problem(4096, 32), "a"), plan())
    assert (memory.status, memory.cause) == ("out_of_memory", "foreseen_memory")
    assert "would add about 64.0 GiB, the limit is 16.0 GiB (--memory-limit)" in memory.reason
    time = limit_of(forecast, (problem(4096), "a"), plan(time=4))
    assert (time.status, time.cause) == ("timed_out", "foreseen_time")
    assert "one call would take about 2 s, the limit" in time.reason


def test_a_plan_of_attempts_calls_the_first_length_that_would_exceed_the_memory() -> None:
    known = [checked(problem(1024), 100, GIB), checked(problem(2048), 400, 4 * GIB)]
    attempts = replace(plan(), attempts=True)
    larger = (problem(4096, 32), "a")
    assert foreseen(Forecast(known), larger, plan()) is not None
    assert foreseen(Forecast(known), larger, attempts) is None
    ended = Forecast([*known, stopped(problem(4096, 32), "out_of_memory", "memory_limit")])
    assert limit_of(ended, (problem(8192, 32), "a"), attempts).cause == "foreseen_memory"


@pytest.mark.parametrize(
    ("status", "cause", "expected"),
    [
        ("timed_out", "time_limit", "foreseen_time"),
        ("timed_out", "foreseen_time", "foreseen_time"),
        ("out_of_memory", "memory_limit", "foreseen_memory"),
        ("out_of_memory", "device_memory", "foreseen_memory"),
    ],
)
def test_a_pair_that_exceeded_a_limit_is_not_tried_on_a_larger_problem(
    status: Status, cause: Cause, expected: Cause
) -> None:
    forecast = Forecast([stopped(problem(512), status, cause)])
    found = limit_of(forecast, (problem(1024), "a"), plan())
    assert (found.status, found.cause) == (status, expected)
    assert f"{problem(512)} already exceeded" in found.reason
    assert foreseen(forecast, (problem(256), "a"), plan()) is None
    assert foreseen(forecast, (problem(1024), "b"), plan()) is None


def test_a_problem_far_from_every_measured_size_has_no_forecast_of_limits() -> None:
    hiccup = Forecast([checked(problem(128), 3, 100), checked(problem(256), 900, 100)])
    assert foreseen(hiccup, (problem(4096), "a"), plan()) is None
    assert foreseen(hiccup, (problem(512, 64), "a"), plan()) is None


def test_a_pair_beyond_the_budget_has_not_exceeded_a_limit() -> None:
    skipped = stopped(problem(512), "timed_out", "budget")
    assert foreseen(Forecast([skipped]), (problem(1024), "a"), plan()) is None


def test_inputs_beyond_the_memory_limit_are_not_made() -> None:
    found = limit_of(Forecast(()), (problem(1 << 20, 64), "a"), plan())
    assert (found.status, found.cause) == ("out_of_memory", "foreseen_memory")
    assert "its inputs alone take 192.0 GiB, the limit is 16.0 GiB" in found.reason


def test_a_peak_of_zero_bytes_stays_zero() -> None:
    forecast = Forecast([checked(problem(128), 3, 100), checked(problem(256), 3, 0)])
    assert forecast.peak_bytes((problem(512), "a")) == 0


def test_a_budget_buys_the_cheapest_first() -> None:
    p, q = problem(128), problem(256)
    costs = {(p, "slow"): 50.0, (p, "fast"): 1.0, (q, "fast"): 4.0, (q, "slow"): 100.0}
    assert cheapest(costs, 10.0) == {(p, "fast"), (q, "fast")}
    assert cheapest(costs, 0.5) == set()
    assert len(cheapest(costs, 1000.0)) == 4
    assert cheapest(costs, 52.0, first={(p, "slow")}) == {(p, "slow"), (p, "fast")}


def test_a_long_call_costs_two_in_a_session_and_a_short_one_its_share_of_the_rounds() -> None:
    forecast = Forecast([checked(problem(1024), 5000, 1), checked(problem(128), 1, 1)])
    assert session_s(forecast, (problem(1024), "a"), 1, 400) == 10
    alone, beside_others = (session_s(forecast, (problem(128), "a"), n, 400) for n in (1, 4))
    drawn_s = drawn_ms(problem(128)) / 1e3
    # rounds, its own overhead, and the shared overhead
    assert alone == pytest.approx(0.761 + drawn_s)
    assert beside_others == pytest.approx(0.236 + drawn_s / 4)
    assert check_s(forecast, (problem(1024), "a"), 1) > 15


def test_calls_in_a_layer_cost_five_rounds_up_to_four_budgets() -> None:
    size = Problem.parse("h8 t1024 d64 causal fp32 cpu")
    forecast = Forecast([checked(size, 100, 1)])
    turn_s = (2 * 100 + 2 * LAYERS * (100 + work(size) / LAYER_WORK)) / 1e3

    def cost_s(beside: int, budget_ms: float) -> float:
        return session_s(forecast, (size, "a"), beside, budget_ms, in_layers=True)

    assert cost_s(1, 1e5) > OVERRUN * 100
    assert OVERRUN * 5 * turn_s < cost_s(1, 6000) < OVERRUN * 5 * turn_s + turn_s + 0.5
    assert cost_s(8, 1500) < OVERRUN * 5 * turn_s


def test_single_calls_cost_their_rounds_up_to_the_budget() -> None:
    forecast = Forecast([checked(problem(128), 1, 1), checked(problem(1024), 100, 1)])
    short, long = (
        session_s(forecast, (problem(t), "a"), 1, 20_000, tail=True) for t in (128, 1024)
    )
    drawn_s = [drawn_ms(problem(t)) / 1e3 for t in (128, 1024)]
    assert short == pytest.approx(3.311 + drawn_s[0])  # 1,000 calls with their lead-in, 1.5 times
    assert long == pytest.approx(30.26 + drawn_s[1])  # the budget, 1.5 times


def test_drawing_large_inputs_is_in_the_forecast_and_shared_by_the_pairs_of_a_problem() -> None:
    large = Problem.parse("b4 h16 t2048 d128 causal bf16 cuda")
    forecast = Forecast([checked(large, 0.5, 1)])
    assert drawn_ms(large) > 500
    alone, beside_others = (session_s(forecast, (large, "a"), n, 0) for n in (1, 3))
    assert alone > drawn_ms(large) / 1e3 > beside_others


def test_without_any_measured_call_cost_grows_with_size() -> None:
    costs = [session_s(Forecast(()), (problem(t), "a"), 1, 0) for t in (1024, 4096, 16384)]
    assert costs == sorted(costs)
    assert costs[0] < costs[1]


def test_the_first_check_of_a_series_takes_longer_once_for_all_sizes() -> None:
    pairs = [(problem(t, mask=mask), "a") for t in (128, 256) for mask in ("full", "causal")]
    assert Forecast(()).first_s(pairs) == 2 * Forecast(()).first_s(pairs[:1]) > 0
    assert Forecast([checked(problem(64), 1, 1)]).first_s(pairs[:1]) == 0


def test_the_pace_follows_the_ratio_of_measured_to_forecast() -> None:
    pace = Pace()
    assert pace.factor == 1
    pace.learn(0.1, 1.0)
    assert 1 < pace.factor < 2
    for _ in range(1000):
        pace.learn(0.1, 0.3)
    assert pace.factor == pytest.approx(3, rel=0.05)


def on_gpu(length: int) -> Problem:
    return replace(problem(length), device="cuda", dtype="bfloat16")


def test_fifteen_rounds_of_short_calls_on_a_gpu_are_in_the_forecast() -> None:
    forecast = Forecast([checked(on_gpu(128), 0.5, 1)])
    turn_s = 3e-3  # a call, a sample of 1 ms, a spin of 1.5 ms
    assert session_s(forecast, (on_gpu(128), "a"), 10, 120) > OVERRUN * FEWEST_ON_GPU * turn_s
    assert session_s(forecast, (on_gpu(128), "a"), 10, 2000) > 0.3  # its share of the budget


def test_figures_beside_the_times_of_a_gpu_are_forecast_for_the_first_session() -> None:
    forecast = Forecast([checked(on_gpu(128), 0.5, 1), checked(on_gpu(1024), 20, 1)])
    short, long = ((on_gpu(t), "a") for t in (128, 1024))
    assert beside_s(forecast, (problem(128), "a"), sustained=False) == 0
    assert beside_s(forecast, short, sustained=True) == beside_s(forecast, short, sustained=False)
    plain = beside_s(forecast, long, sustained=False)
    assert beside_s(forecast, long, sustained=True) == pytest.approx(plain + 2.04)
