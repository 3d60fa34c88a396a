"""Energy and named ranges of the samples of rounds, in records and in profilers' timelines."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from suites.measure import energy, timing
from suites.measure.energy import Package
from tests.engine.test_timed_rounds import PROBLEM, measured
from tests.stand_in.device import stand_in


@pytest.fixture
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor package whose counter grows by 7 mJ at each reading."""
    total_uj = itertools.count(0, 7_000)
    monkeypatch.setattr(Package, "read_uj", lambda _: next(total_uj))
    monkeypatch.setattr(energy, "packages", lambda: ((Package(Path(), 1 << 60),), "RAPL: read"))


@pytest.mark.usefixtures("_package")
def test_the_energy_of_a_call_is_that_of_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured("naive")["naive"].energy_mj is None  # too short for the counter
    monkeypatch.setattr(energy, "LEAST_SAMPLE_MS", 0.0)
    made = measured("naive")["naive"]
    assert made.calls_per_sample
    assert made.energy_mj == pytest.approx(7 / made.calls_per_sample)


@pytest.mark.usefixtures("_package")
def test_a_long_call_has_the_energy_of_its_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LONG_MS", 0.0)
    monkeypatch.setattr(timing, "warm_up", lambda call, clock: call() or [950.0])
    assert measured("naive")["naive"].energy_mj == 7.0


def test_without_a_counter_there_is_no_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "LEAST_SAMPLE_MS", 0.0)
    monkeypatch.setattr(energy, "packages", lambda: ((), "RAPL: no"))
    assert measured("naive")["naive"].energy_mj is None


def test_profilers_of_a_gpu_see_the_session_and_each_sample_by_name() -> None:
    with stand_in() as runtime:
        problem = replace(PROBLEM, device="cuda")
        made = measured("naive", "sdpa_math", problem=problem)
        assert {record.status for record in made.values()} == {"ok"}
        first, *within, last = runtime.ranges
    assert (first, last) == (f"session 1 {problem}", "")
    assert set(within[1::2]) == {""}  # ranges of samples follow each other
    arms = ("naive", "sdpa_math", "twin of naive")
    count = len(made["naive"].times_ms)
    expected = [f"round {number} {arm}" for number in range(1, count + 1) for arm in arms]
    assert sorted(within[::2]) == sorted(expected)


def test_on_a_cpu_no_range_is_made() -> None:
    with stand_in() as runtime:
        assert measured("naive")["naive"].status == "ok"
        assert runtime.ranges == []
