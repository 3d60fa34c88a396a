from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from suites.engine.messages import Sender

from suites.agreement import timed_outputs as last_answer
from suites.calibrate.arms import calibrate, instruments
from suites.engine import tasks, timed
from suites.measure import timing
from suites.process_state import functions
from suites.records import record as records
from suites.records.record import Record
from suites.stats import ceilings
from suites.stats.ceilings import Ceiling

IMPLS = Path(__file__).parents[2] / "impls"
PROBLEM = "b1 h2 t32 d16 causal fp32 cpu"
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
    """From memory where the sizes of all numbers add up to what they did."""
    key = (q.abs().sum().item(), k.abs().sum().item(), v.abs().sum().item())
    if key not in KEPT:
        KEPT[key] = attend(q, k, v, scale)
    return KEPT[key].clone()


def stops_the_clocks(q, k, v, *, mask, scale):
    """For good, and would be found out by whoever compared them."""
    time.perf_counter = time.monotonic = time.process_time = lambda: 0.0
    time.perf_counter_ns = time.monotonic_ns = lambda: 0
    return attend(q, k, v, scale)
'''


class Log(Sender):
    """Keeps the messages instead of sending them."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.messages: list[dict[str, Any]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.messages.append({"kind": kind, **fields})

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["kind"] == kind]

    @property
    def records(self) -> dict[str, Record]:
        made = [records.from_json(message["record"]) for message in self.of("record")]
        return {record.implementation: record for record in made}


def task(*names: str, own: Path | None = None, **changes: Any) -> dict[str, Any]:
    files = {name: {name: str(own or IMPLS / f"{name.partition('_')[0]}.py")} for name in names}
    return {
        "session": 1,
        "problem": PROBLEM,
        "implementations": list(names),
        "files": files,
        "expected_ms": dict.fromkeys(names, 0.0),
        "seed": 3,
        "memory_limit": 1 << 40,
        "round_budget_ms": 60.0,
        "threads": 2,
        "cache": "hot",
        "twin_of": names[0],
        "ceilings": [],
        **changes,
    }


def measured(*names: str, **changes: Any) -> dict[str, Record]:
    log = Log()
    timed.measure(task(*names, **changes), log)
    return log.records


def test_the_baseline_has_a_twin_in_its_rounds_and_nobody_else() -> None:
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


def test_a_cold_sample_says_so() -> None:
    made = measured("naive", cache="cold")["naive"]
    assert (made.clock, made.calls_per_sample) == ("cold host", 1)


def test_an_arm_that_fails_in_the_rounds_costs_its_own_record_only(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    files = {"fails_late": {"fails_late": str(own)}, "naive": {"naive": str(IMPLS / "naive.py")}}
    made = measured("fails_late", "naive", files=files)
    assert (made["fails_late"].status, made["fails_late"].reason) == (
        "failed",
        "RuntimeError: late",
    )
    assert made["naive"].status == "ok"
    assert made["naive"].twin_ms == ()  # the baseline fell, and its twin with it


def test_a_long_call_is_timed_once_apart_from_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LONG_MS", 0.0)
    made = measured("naive")["naive"]
    assert len(made.times_ms) == 1
    assert not made.in_rounds
    assert made.conditions is None
    assert made.twin_ms == ()


def test_what_the_check_foretold_as_long_is_long_in_every_session(
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


def test_the_answer_of_a_long_call_is_compared_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timing, "LONG_MS", 0.0)
    own = tmp_path / "own.py"
    own.write_text(OWN)
    made = measured("careful_in_samples", own=own)["careful_in_samples"]
    assert made.status == "wrong"
    assert made.reason.startswith("agrees in the check, but not while timed: ")


def test_who_remembers_answers_by_the_sizes_of_numbers_is_found_out(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    made = measured("goes_by_sizes", own=own)["goes_by_sizes"]
    assert made.status == "wrong"
    assert "not while timed: out is wrong" in made.reason


def test_a_clock_that_is_replaced_changes_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("perf_counter", "monotonic", "process_time", "perf_counter_ns", "monotonic_ns"):
        monkeypatch.setattr(time, name, getattr(time, name))  # put back after the test
    monkeypatch.setattr(functions, "_NAMESPACES", {})  # nobody compares them
    own = tmp_path / "own.py"
    own.write_text(OWN)
    made = measured("stops_the_clocks", own=own)["stops_the_clocks"]
    assert time.perf_counter_ns() == 0
    assert made.status == "ok"
    assert min(made.times_ms) > 0
    assert made.first_call_ms
    assert made.conditions is not None
    assert min(made.conditions.probe_ms) > 0


def slow_machine(rate: float) -> list[dict[str, Any]]:
    found = [
        Ceiling(kind="matmul", dtype="float32", residency="cache", value=rate, device="cpu"),
        Ceiling(kind="read", residency="cache", value=rate, device="cpu"),
    ]
    return ceilings.to_json(found)


def test_a_time_beyond_the_ceilings_is_believed_after_a_second_check() -> None:
    assert not measured("naive", ceilings=slow_machine(1e15))["naive"].checked_again
    made = measured("naive", ceilings=slow_machine(1.0))["naive"]
    assert made.status == "ok"
    assert made.checked_again


def test_a_wrong_answer_beyond_the_ceilings_loses_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_answer, "fault", lambda *_, **__: "")  # which would find it out before
    own = tmp_path / "own.py"
    own.write_text(OWN)
    name = "careful_in_samples"
    made = measured(name, own=own, ceilings=slow_machine(1.0))[name]
    assert made.status == "wrong"
    assert made.times_ms == ()
    assert "of what this machine can do, and checked again: " in made.reason


def test_the_known_arms_stand_in_the_same_rounds() -> None:
    log = Log()
    calibrate(task("naive", slowed=0.03), log)
    [found] = log.of("calibration")
    assert set(found["times_ms"]) == {"base", "twin", "slowed", "naive"}
    assert len({len(times) for times in found["times_ms"].values()}) == 1
    assert 1.02 < found["truth"] < 1.04


def test_the_memory_of_a_known_operation_is_read_to_the_byte() -> None:
    log = Log()
    instruments({"known_bytes": 12345, "device": "cpu"}, log)
    [found] = log.of("instruments")
    assert found["read_bytes"] == 12345
    assert found["resolution_ms"] > 0


def test_the_cpus_of_a_session_are_those_of_all_its_threads() -> None:
    every = os.sched_getaffinity(0)
    done, bound = threading.Event(), threading.Event()

    def elsewhere() -> None:
        os.sched_setaffinity(0, {max(every)})
        bound.set()
        done.wait(60)

    other = threading.Thread(target=elsewhere)
    other.start()
    bound.wait(60)
    os.sched_setaffinity(0, {min(every)})
    try:
        assert {min(every), max(every)} <= set(tasks.cpus_of_threads())
    finally:
        os.sched_setaffinity(0, every)
        done.set()
        other.join()
