from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from suites.engine.gauge import Gauge
from suites.measure.interference import (
    PRODUCTS,
    SLOWED_BY,
    THROTTLED_BY,
    Probe,
    Snapshot,
    Waited,
    disturbance,
    snapshot,
    throttled_between,
    waited_between,
)
from suites.measure.nvidia import POLICIES, REASONS


def threads(root: Path, *counts: str) -> Path:
    for number, text in enumerate(counts):
        thread = root / str(number)
        thread.mkdir()
        (thread / "schedstat").write_text(text)
    return root


def test_a_snapshot_sums_what_the_threads_waited(tmp_path: Path) -> None:
    threads(tmp_path, "900 1500000 3\n", "800 2000000 1\n")
    taken = snapshot(tmp_path, lambda: 7_000_000)
    assert (taken.run_delay_ms, taken.at_ms) == (3.5, 7.0)


def test_a_thread_that_ends_meanwhile_is_left_out(tmp_path: Path) -> None:
    threads(tmp_path, "900 1500000 3\n", "")
    (tmp_path / "gone").mkdir()
    assert snapshot(tmp_path).run_delay_ms == 1.5


@pytest.mark.parametrize("counts", [(), ("0 0 0\n", "0 0 0\n"), ("",)])
def test_without_counters_of_the_scheduler_the_delay_is_unknown(
    tmp_path: Path, counts: tuple[str, ...]
) -> None:
    assert snapshot(threads(tmp_path, *counts)).run_delay_ms is None
    assert snapshot(tmp_path / "absent").run_delay_ms is None


def test_threads_that_never_waited_have_waited_for_zero(tmp_path: Path) -> None:
    assert snapshot(threads(tmp_path, "900 0 3\n")).run_delay_ms == 0


def test_counts_of_this_process_only_grow() -> None:
    before, after = snapshot(), snapshot()
    assert after.involuntary_switches >= before.involuntary_switches >= 0
    assert after.at_ms >= before.at_ms
    assert (after.run_delay_ms or 0) >= (before.run_delay_ms or 0)


def around(waited_ms: float | None) -> Waited:
    after = None if waited_ms is None else 5.0 + waited_ms
    return waited_between(Snapshot(5.0, 10, 1000.0), Snapshot(after, 72, 1100.0))


def test_counters_during_a_round_are_the_difference_of_two_snapshots() -> None:
    assert around(3.0) == Waited(3.0, 62, 100.0)
    assert around(None) == Waited(None, 62, 100.0)


@pytest.mark.parametrize("waited_ms", [None, 0.0, 2.0, -3.0])
@pytest.mark.parametrize(("probe_ms", "usual_ms"), [(1.0, 1.0), (1.15, 1.0), (0.1, 1.0), (9, None)])
def test_up_to_the_limits_a_round_is_quiet(
    waited_ms: float | None, probe_ms: float, usual_ms: float | None
) -> None:
    assert disturbance(around(waited_ms), probe_ms, usual_ms) == ""


def test_waiting_for_a_cpu_disturbs_a_round() -> None:
    told = disturbance(around(2.125), 1.0, 1.0)
    assert told == "the threads waited 2.1 ms for a CPU in 100.0 ms"


def test_a_slow_probe_disturbs_a_round() -> None:
    assert disturbance(around(None), 0.5, 0.4) == "the probe took 0.50 ms, usually 0.40 ms"


def test_both_reasons_are_given() -> None:
    assert disturbance(around(50.0), 2.0, 1.0) == (
        "the threads waited 50.0 ms for a CPU in 100.0 ms; the probe took 2.00 ms, usually 1.00 ms"
    )


def test_a_round_of_a_gpu_is_not_disturbed_by_threads_that_wait_for_it() -> None:
    assert disturbance(around(50.0), 2.0, 1.0, on_host=False) == ""


class FakeTime:
    """A clock on which each piece of work takes the next of the given times."""

    def __init__(self, *took_ms: float) -> None:
        self._steps: Iterator[float] = (step for ms in took_ms for step in (0.0, ms))
        self._ns = 0

    def now_ns(self) -> int:
        self._ns += int(next(self._steps) * 1e6)
        return self._ns


def test_a_reading_is_the_quickest_of_its_products() -> None:
    probe = Probe(FakeTime(5.0, 3.0, 7.0, 7.0, 4.0, 9.0, 2.0, *[4.0] * 5).now_ns)
    assert [probe.read(), probe.read()] == [3.0, 2.0]


@pytest.mark.parametrize(
    ("readings", "usual"),
    [
        ((), None),
        ((1.0, 2.0, 3.0, 4.0), None),
        ((5.0, 4.0, 3.0, 2.0, 1.0), 1.0),
        ((6.0, 1.0, 5.0, 2.0, 4.0, 3.0), 2.0),
        ((2.0, 2.0, 2.0, 2.0, 2.0, 1.0), 2.0),
        (tuple(float(ms) for ms in range(20, 0, -1)), 4.0),
    ],
)
def test_the_usual_time_is_the_20th_percentile_of_five_or_more_readings(
    readings: tuple[float, ...], usual: float | None
) -> None:
    probe = Probe(FakeTime(*(ms for ms in readings for _ in range(PRODUCTS))).now_ns)
    for expected in readings:
        assert probe.read() == expected
    assert probe.usual_ms == usual


def test_the_work_of_the_probe_never_changes_and_leaves_the_generator_alone() -> None:
    state = torch.get_rng_state()
    first, second = Probe(), Probe()
    for _ in range(3):
        first.read()
    assert torch.equal(first._product, second._product)
    assert torch.equal(torch.get_rng_state(), state)


def reading(*reasons: str, **throttled_ms: float) -> dict[str, Any]:
    """A state of an NVIDIA device."""
    return {"sm_mhz": 1755, "reasons": reasons, "throttled_ms": throttled_ms or None}


def why(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    return disturbance(Waited(0.0, 0, 100.0), 1.0, 1.0, throttled_between(before, after))


def test_a_thermal_counter_that_advances_disturbs_a_round() -> None:
    expected = "the device reduced its clocks for 12 ms (thermal)"
    assert why(reading(thermal=100.0), reading(thermal=112.0)) == expected
    assert why(reading(thermal=112.0), reading(thermal=112.0)) == ""


def test_the_power_cap_is_recorded_and_disturbs_nothing() -> None:
    before, after = {"power cap": 100.0}, {"power cap": 180.0}
    found = throttled_between(reading(**before), reading("power cap", **after))
    assert found is not None
    assert found["throttled_ms"] == {"power cap": 80.0}
    assert disturbance(Waited(0.0, 0, 100.0), 1.0, 1.0, found) == ""


@pytest.mark.parametrize("reason", SLOWED_BY)
def test_a_hardware_or_thermal_slowdown_disturbs_a_round(reason: str) -> None:
    expected = f"the device reduced its clocks: {reason}"
    assert why(reading(), reading("power cap", reason)) == expected


def test_a_counter_that_was_not_read_twice_is_not_zero() -> None:
    for before, after in (
        (None, reading(thermal=112.0)),
        (reading(), reading(thermal=112.0)),
        (reading(thermal=1.0), reading()),
        (reading(**{"power cap": 1.0}), reading(thermal=112.0)),
    ):
        found = throttled_between(before, after)
        assert found is not None
        assert found["throttled_ms"] is None
        assert why(before, after) == ""
    assert throttled_between(reading(thermal=1.0), None) is None


def test_every_reason_that_disturbs_is_one_that_nvml_has() -> None:
    assert set(SLOWED_BY) < set(REASONS.values())
    assert set(THROTTLED_BY) < set(POLICIES)


class Throttled:
    """A device whose thermal counter advances by 5 ms with every reading."""

    def __init__(self) -> None:
        self.read = 0

    def state(self) -> dict[str, Any]:
        self.read += 1
        return reading(thermal=5.0 * self.read)


def test_the_gauge_compares_the_device_before_and_after_the_rounds() -> None:
    device = Throttled()
    gauge = Gauge(Probe(), device)  # type: ignore[arg-type] # of a device only its state is read
    gauge.start()
    moment = gauge.stop()
    assert device.read == 2
    assert moment.disturbed.endswith("the device reduced its clocks for 5 ms (thermal)")
    assert moment.device is not None
    assert moment.device["throttled_ms"] == {"thermal": 5.0}
