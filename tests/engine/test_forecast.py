from __future__ import annotations

import pytest

from suites.engine.forecast import Forecast, Pace, cheapest, check_s, foreseen, session_s
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record

GIB = 1 << 30


def checked(problem: str, ms: float, peak: int, name: str = "a") -> Record:
    return Record(
        session=CHECK,
        problem=problem,
        implementation=name,
        status="ok",
        spent_ms=ms,
        peak_bytes=peak,
    )


def problem(length: int, heads: int = 8, mask: str = "full") -> str:
    return f"b1 h{heads} t{length} d64 {mask} fp32 cpu"


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


def test_a_quadratic_seen_at_two_sizes_is_foretold_at_the_next() -> None:
    forecast = Forecast([checked(problem(1024), 100, 1000), checked(problem(2048), 400, 4000)])
    assert forecast.call_ms((problem(8192), "a")) == pytest.approx(6400)
    assert forecast.peak_bytes((problem(8192), "a")) == pytest.approx(64000)


def test_linear_growth_under_a_window_is_foretold_as_linear() -> None:
    sizes = [checked(problem(t, mask="window:64"), t / 10, 10 * t) for t in (1024, 2048)]
    pair = (problem(16384, mask="window:64"), "a")
    assert Forecast(sizes).peak_bytes(pair) == pytest.approx(163840)
    assert Forecast(sizes).call_ms(pair) == pytest.approx(1638.4, rel=0.1)


def test_heads_grow_in_proportion() -> None:
    forecast = Forecast([checked(problem(1024, 4), 100, 1000)])
    assert forecast.call_ms((problem(1024, 16), "a")) == pytest.approx(400)


def test_one_size_alone_is_taken_for_quadratic() -> None:
    assert Forecast([checked(problem(512), 10, 100)]).call_ms((problem(2048), "a")) == 160


def test_nothing_is_foretold_of_another_mask_another_implementation_or_a_smaller_size() -> None:
    forecast = Forecast([checked(problem(1024), 100, 1000)])
    assert forecast.call_ms((problem(2048, mask="causal"), "a")) is None
    assert forecast.call_ms((problem(2048), "b")) is None
    assert forecast.call_ms((problem(512), "a")) is None


def test_small_sizes_ruled_by_overhead_do_not_hide_the_growth_to_come() -> None:
    flat = Forecast([checked(problem(128), 10, 100), checked(problem(256), 10, 100)])
    assert flat.call_ms((problem(512), "a")) == pytest.approx(40)


def test_a_problem_that_would_not_fit_is_foreseen_in_words() -> None:
    forecast = Forecast([checked(problem(1024), 100, GIB), checked(problem(2048), 400, 4 * GIB)])
    assert foreseen(forecast, (problem(2048), "a"), plan()) is None
    status, reason = foreseen(forecast, (problem(4096, 32), "a"), plan()) or ("", "")
    assert status == "out_of_memory"
    assert reason == (
        "foreseen: would add about 64.0 GiB by its growth so far, "
        "the limit is 16.0 GiB (--memory-limit)"
    )
    status, reason = foreseen(forecast, (problem(4096), "a"), plan(time=4)) or ("", "")
    assert status == "timed_out"
    assert "one call would take about 2 s by its growth so far" in reason


def test_what_broke_a_limit_is_not_tried_on_a_larger_problem() -> None:
    stop = Record(
        session=CHECK, problem=problem(512), implementation="a", status="timed_out", reason="slow"
    )
    forecast = Forecast([stop])
    assert foreseen(forecast, (problem(1024), "a"), plan()) == (
        "timed_out",
        f"foreseen: {problem(512)} was already too much for it",
    )
    assert foreseen(forecast, (problem(256), "a"), plan()) is None
    assert foreseen(forecast, (problem(1024), "b"), plan()) is None


def test_nothing_is_claimed_of_a_problem_far_from_all_that_is_known() -> None:
    hiccup = Forecast([checked(problem(128), 3, 100), checked(problem(256), 900, 100)])
    assert foreseen(hiccup, (problem(4096), "a"), plan()) is None
    assert foreseen(hiccup, (problem(512, 64), "a"), plan()) is None


def test_what_a_budget_did_not_hold_says_nothing_of_the_implementation() -> None:
    skipped = Record(
        session=CHECK,
        problem=problem(512),
        implementation="a",
        status="timed_out",
        reason="foreseen: the budget of 1 min does not hold it (--budget)",
    )
    assert foreseen(Forecast([skipped]), (problem(1024), "a"), plan()) is None


def test_inputs_that_alone_are_too_large_are_foreseen() -> None:
    status, reason = foreseen(Forecast(()), (problem(1 << 20, 64), "a"), plan()) or ("", "")
    assert status == "out_of_memory"
    assert reason.startswith("foreseen: its inputs alone take 192.0 GiB, the limit is 16.0 GiB")


def test_a_peak_of_nothing_stays_nothing() -> None:
    forecast = Forecast([checked(problem(128), 3, 100), checked(problem(256), 3, 0)])
    assert forecast.peak_bytes((problem(512), "a")) == 0


def test_a_budget_buys_the_cheapest_first() -> None:
    costs = {("p", "slow"): 50.0, ("p", "fast"): 1.0, ("q", "fast"): 4.0, ("q", "slow"): 100.0}
    assert cheapest(costs, 10.0) == {("p", "fast"), ("q", "fast")}
    assert cheapest(costs, 0.5) == set()
    assert len(cheapest(costs, 1000.0)) == 4
    assert cheapest(costs, 52.0, first={("p", "slow")}) == {("p", "slow"), ("p", "fast")}


def test_a_long_call_costs_two_in_a_session_and_a_short_one_its_share_of_the_rounds() -> None:
    forecast = Forecast([checked(problem(1024), 5000, 1), checked(problem(128), 1, 1)])
    assert session_s(forecast, (problem(1024), "a"), 1, 400) == 10
    alone, beside_others = (session_s(forecast, (problem(128), "a"), n, 400) for n in (1, 4))
    assert alone == pytest.approx(0.761)  # rounds, what it takes besides, and what all share
    assert beside_others == pytest.approx(0.236)
    assert check_s(forecast, (problem(1024), "a"), 1) > 15


def test_before_any_call_is_known_the_small_are_taken_for_the_cheap() -> None:
    costs = [session_s(Forecast(()), (problem(t), "a"), 1, 0) for t in (1024, 4096, 16384)]
    assert costs == sorted(costs)
    assert costs[0] < costs[1]


def test_the_first_check_of_a_kind_takes_longer_once_for_all_sizes() -> None:
    pairs = [(problem(t, mask=mask), "a") for t in (128, 256) for mask in ("full", "causal")]
    assert Forecast(()).first_s(pairs) == 2 * Forecast(()).first_s(pairs[:1]) > 0
    assert Forecast([checked(problem(64), 1, 1)]).first_s(pairs[:1]) == 0


def test_a_forecast_is_believed_until_it_is_known_to_be_off() -> None:
    pace = Pace()
    assert pace.factor == 1
    pace.learn(0.1, 1.0)
    assert 1 < pace.factor < 2
    for _ in range(1000):
        pace.learn(0.1, 0.3)
    assert pace.factor == pytest.approx(3, rel=0.05)
