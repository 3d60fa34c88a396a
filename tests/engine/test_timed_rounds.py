"""The tasks Measure and Calibrate, in the process of the test."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, TypeVar

import pytest

from impls.interface import Problem
from suites.agreement import timed_outputs
from suites.calibrate.arms import calibrate, read_instruments
from suites.engine import timed_rounds
from suites.engine.gauge import Gauge
from suites.engine.messages import Calibrated, InstrumentsRead, Made, Message
from suites.engine.pipe import Sender
from suites.engine.protocol import Calibrate, Measure, ReadInstruments
from suites.measure import layer_work, rounds, timing
from suites.measure.rounds import Moment
from suites.process_state import functions
from suites.records.record import Record
from suites.records.settings import Settings
from suites.stats.ceilings import Ceiling

IMPLS = Path(__file__).parents[2] / "impls"
PROBLEM = Problem.parse("h2 t32 d16 causal")
OWN = '''
import gc, time
import torch
from torch.nn import functional

CALLS = []
KEPT = {}


def attend(q, k, v, scale):
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)


def careful_in_samples(q, k, v, *, mask, scale):
    """Wrong wherever no times are taken."""
    return attend(q, k, v, scale) * (not gc.isenabled())


def fails_late(q, k, v, *, mask, scale):
    """Raises when it is called in samples for the third time."""
    CALLS.append(not gc.isenabled())
    if sum(CALLS) > 2:
        raise RuntimeError("late")
    return attend(q, k, v, scale)


def goes_by_sizes(q, k, v, *, mask, scale):
    """A cache keyed by the sums of absolute values."""
    key = (q.abs().sum().item(), k.abs().sum().item(), v.abs().sum().item())
    if key not in KEPT:
        KEPT[key] = attend(q, k, v, scale)
    return KEPT[key].clone()


def stops_the_clocks(q, k, v, *, mask, scale):
    """Replaces the clocks of the process."""
    time.perf_counter = time.monotonic = time.process_time = lambda: 0.0
    time.perf_counter_ns = time.monotonic_ns = lambda: 0
    return attend(q, k, v, scale)
'''


Kind = TypeVar("Kind")


class Log(Sender):
    """Keeps the messages instead of sending them."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [message for message in self.messages if isinstance(message, kind)]


def fields(*names: str, own: Path | None = None, cache: str = "hot") -> dict[str, Any]:
    """The fields of a task that measures implementations on the problem."""
    files = {name: {name: str(own or IMPLS / f"{name.partition('_')[0]}.py")} for name in names}
    return {
        "session": 1,
        "problem": PROBLEM,
        "implementations": names,
        "files": files,
        "expected_ms": dict.fromkeys(names, 0.0),
        "seed": 3,
        "settings": Settings(sessions=1, memory_limit=1 << 40, threads=(2,), cache=cache),
        "round_budget_ms": 60.0,
        "threads": 2,
        "twin_of": names[0],
    }


def measured(
    *names: str, own: Path | None = None, cache: str = "hot", **changes: Any
) -> dict[str, Record]:
    """The record of every implementation, by name.

    changes  of fields of the task
    """
    log = Log()
    timed_rounds.measure(Measure(**fields(*names, own=own, cache=cache) | changes), log)
    return {made.record.implementation: made.record for made in log.of(Made)}


def test_the_baseline_alone_has_a_twin_in_its_rounds() -> None:
    made = measured("sdpa_math", "naive")
    base, other = made["sdpa_math"], made["naive"]
    assert len(base.twin_ms) == len(base.times_ms) == len(other.times_ms) >= 2
    assert other.twin_ms == ()
    assert base.conditions == other.conditions
    assert base.conditions is not None
    assert len(base.conditions.disturbed) == len(base.times_ms)
    assert (base.clock, base.threads, base.in_rounds) == ("host", 2, True)
    assert base.calls_ms is not None
    assert base.calls_ms > sum(base.times_ms)


def test_a_cold_sample_has_a_clock_of_its_own() -> None:
    made = measured("naive", cache="cold")["naive"]
    assert (made.clock, made.calls_per_sample) == ("cold host", 1)


def test_with_tail_every_sample_is_one_call_and_no_round_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Gauge, "stop", disturbed)
    monkeypatch.setattr(rounds, "TAIL_MOST", 300)
    tail = Settings(sessions=1, memory_limit=1 << 40, threads=(2,), tail=True)
    made = measured("naive", "sdpa_math", settings=tail, round_budget_ms=20_000.0)
    assert {record.calls_per_sample for record in made.values()} == {1}
    assert {len(record.times_ms) for record in made.values()} == {300}
    assert {record.disturbed_rounds for record in made.values()} == {300}
    monkeypatch.setattr(rounds, "calls_for", lambda *_: 2)
    usual = measured("naive", "sdpa_math", round_budget_ms=2_000.0)
    assert {record.calls_per_sample for record in usual.values()} == {2}
    [tried] = {record.disturbed_rounds for record in usual.values()}
    assert tried >= 4  # two rounds at least, each tried again


def disturbed(_: Gauge) -> Moment:
    """A reading of a machine that is always disturbed."""
    return Moment(probe_ms=0.3, run_delay_ms=0.0, involuntary_switches=1, disturbed="waited")


def test_an_arm_that_fails_in_the_rounds_costs_its_own_record_only(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    files = {"fails_late": {"fails_late": str(own)}, "naive": {"naive": str(IMPLS / "naive.py")}}
    made = measured("fails_late", "naive", files=files)
    failed = made["fails_late"]
    assert (failed.status, failed.cause) == ("failed", "exception")
    assert failed.reason == "RuntimeError: late"
    assert made["naive"].status == "ok"
    assert made["naive"].twin_ms == ()  # the twin is left out with its baseline


def test_a_long_call_is_timed_once_apart_from_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LONG_MS", 0.0)
    made = measured("naive")["naive"]
    assert len(made.times_ms) == 1
    assert not made.in_rounds
    assert made.conditions is None
    assert made.twin_ms == ()


def test_a_call_with_a_long_forecast_is_timed_apart_in_every_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing, "warm_up", lambda call, clock: call() or [950.0])
    made = measured("naive", expected_ms={"naive": 1050.0})["naive"]
    assert made.times_ms == (950.0,)
    assert not made.in_rounds
    assert measured("naive", expected_ms={"naive": 0.0})["naive"].in_rounds


def test_a_long_call_is_counted_once_among_the_time_inside_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing, "one_call_ms", lambda call, clock: call() and 7000.0)
    monkeypatch.setattr(timing, "warm_up", lambda call, clock: call() or [5000.0])
    made = measured("naive")["naive"]
    assert (made.first_call_ms, made.times_ms, made.calls_ms) == (7000.0, (5000.0,), 12000.0)


def test_the_output_of_a_long_call_is_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timing, "LONG_MS", 0.0)
    own = tmp_path / "own.py"
    own.write_text(OWN)
    made = measured("careful_in_samples", own=own)["careful_in_samples"]
    assert (made.status, made.cause) == ("wrong", "wrong_when_timed")


def test_a_cache_keyed_by_absolute_values_is_detected(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    made = measured("goes_by_sizes", own=own)["goes_by_sizes"]
    assert (made.status, made.cause) == ("wrong", "wrong_when_timed")
    assert "out is wrong" in made.reason


def test_a_clock_that_is_replaced_changes_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("perf_counter", "monotonic", "process_time", "perf_counter_ns", "monotonic_ns"):
        monkeypatch.setattr(time, name, getattr(time, name))  # put back after the test
    monkeypatch.setattr(functions, "_NAMESPACES", {})  # they are not compared
    own = tmp_path / "own.py"
    own.write_text(OWN)
    made = measured("stops_the_clocks", own=own)["stops_the_clocks"]
    assert time.perf_counter_ns() == 0
    assert made.status == "ok"
    assert min(made.times_ms) > 0
    assert made.first_call_ms
    assert made.conditions is not None
    assert min(made.conditions.probe_ms) > 0


def machine_of(rate: float) -> tuple[Ceiling, ...]:
    """The ceilings of a machine with this rate."""
    return (
        Ceiling(kind="matmul", dtype="float32", residency="cache", value=rate, device="cpu"),
        Ceiling(kind="read", residency="cache", value=rate, device="cpu"),
    )


def test_a_time_beyond_the_ceilings_is_kept_after_a_second_check() -> None:
    assert not measured("naive", ceilings=machine_of(1e15))["naive"].checked_again
    made = measured("naive", ceilings=machine_of(1.0))["naive"]
    assert made.status == "ok"
    assert made.checked_again


def test_a_wrong_output_with_a_time_beyond_the_ceilings_has_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed_outputs, "fault", lambda *_, **__: "")  # it would detect that first
    own = tmp_path / "own.py"
    own.write_text(OWN)
    name = "careful_in_samples"
    made = measured(name, own=own, ceilings=machine_of(1.0))[name]
    assert (made.status, made.cause) == ("wrong", "wrong_when_timed")
    assert made.times_ms == ()
    assert "of what this machine can do, and checked again: " in made.reason


def test_the_known_arms_stand_in_the_same_rounds() -> None:
    log = Log()
    calibrate(Calibrate(**fields("naive"), slowed=0.03), log)
    [found] = log.of(Calibrated)
    assert set(found.times_ms) == {"base", "twin", "slowed", "naive"}
    assert len({len(times) for times in found.times_ms.values()}) == 1
    assert 1.02 < found.truth < 1.04


def test_the_memory_of_a_known_operation_is_read_to_the_byte() -> None:
    log = Log()
    read_instruments(ReadInstruments(known_bytes=12345, device="cpu"), log)
    [found] = log.of(InstrumentsRead)
    assert found.read_bytes == 12345
    assert found.resolution_ms > 0


def test_calls_are_timed_in_a_layer_in_the_same_rounds() -> None:
    made = measured("sdpa_math", "naive", in_layer=True, fewest_rounds=5)
    for record in made.values():
        assert len(record.in_layer_ms) == len(record.times_ms) >= 5
        assert min(record.in_layer_ms) > 0
    assert not any(record.in_layer_ms for record in measured("naive").values())


def test_in_training_the_layer_has_a_backward_pass() -> None:
    training = Problem.parse("h2 t32 d16 causal train")
    made = measured("sdpa_math", "naive", in_layer=True, problem=training)
    assert all(len(each.in_layer_ms) == len(each.times_ms) for each in made.values())


def test_an_arm_that_fails_in_a_layer_costs_its_own_record_only(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    files = {"fails_late": {"fails_late": str(own)}, "naive": {"naive": str(IMPLS / "naive.py")}}
    made = measured("fails_late", "naive", files=files, in_layer=True)
    assert made["fails_late"].reason == "RuntimeError: late"
    assert len(made["naive"].in_layer_ms) == len(made["naive"].times_ms)


def test_a_layer_that_takes_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_work, "MOST_WORK", 1.0)
    made = measured("naive", in_layer=True)["naive"]
    assert made.status == "ok"
    assert made.in_layer_ms == ()
