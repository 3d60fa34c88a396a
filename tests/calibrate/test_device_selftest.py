"""`selftest --device cuda` as a program, on the stand-in, and the arithmetic of its verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import impls
import run_bench
from impls.interface import Missing, Problem
from suites.calibrate.device import ceilings, conduct, graphs, large, sizes, smoke, timing
from suites.calibrate.device.cold import last_session
from suites.calibrate.device.figure import Target
from suites.calibrate.device.runs import summary
from suites.calibrate.device.steps import STEPS
from suites.engine.outcome import clear_caches
from suites.engine.time_left import TimeLeft
from suites.records.record import CAUSES, CHECK, Record, Status
from suites.stats.ceilings import Ceiling
from tests.stand_in.device import stand_in
from tests.stand_in.machine import environment

StepsOf = Callable[..., tuple[dict[str, Any], str, int]]
"""The steps in the file, by name; what was printed; the exit status."""
UNLIMITED_S = 3600.0
MIB = 1 << 20
SMALL = Target(device="cuda", memory_bytes=64 * MIB)
ROOT = Path(__file__).parents[2]


def selftest(folder: Path, *words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "run_bench.py"), "selftest", *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def steps_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> StepsOf:
    """Runs steps by the command, in this process, without the limits of time of a real device."""

    def run(only: str, **settings: Any) -> tuple[dict[str, Any], str, int]:
        for name, value in environment(**settings).items():
            monkeypatch.setenv(name, value)
        for name, step in STEPS.items():
            monkeypatch.setitem(STEPS, name, replace(step, limit_s=UNLIMITED_S))
        words = ["run_bench.py", "selftest", "--device", "cuda", "--only", only]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as ended:
            run_bench.main()
        (file,) = Path("results").glob("selftest-*.json")
        data = json.loads(file.read_text())
        printed = capsys.readouterr().out
        assert data["machine"]["devices"][0]["name"] == "NVIDIA stand-in"
        assert str(file) in printed
        return {each["name"]: each for each in data["steps"]}, printed, int(ended.value.code or 0)

    return run


def test_steps_that_need_no_run_pass_on_the_stand_in(steps_of: StepsOf) -> None:
    only = "smoke,throttling,memory"
    steps, printed, status = steps_of(only, nvml={}, memory_bytes=64 * MIB)
    assert {name: each["fault"] for name, each in steps.items()} == dict.fromkeys(steps, "")
    assert list(steps) == only.split(",")
    assert status == 0
    assert "3 ok" in printed


@pytest.fixture
def long_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches on the stand-in are slow: longer spins hide them on a busy host, too."""
    monkeypatch.setattr("suites.measure.cuda.SPIN_MOST_MS", 5000.0)


@pytest.mark.usefixtures("long_spins")
def test_replays_equal_eager_calls() -> None:
    with stand_in(memory_bytes=64 * MIB):
        found = list(graphs.figures(SMALL))
    assert [each.holds for each in found] == [True] * 4
    assert found[-1].value == "3 of 3"


@pytest.mark.usefixtures("long_spins")
def test_a_mask_that_is_freed_after_the_capture_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(target: Target) -> Iterator[torch.Tensor]:
        for each in impls.select(list(graphs.NAMES), impls.load()):
            clear_caches(each)
        yield torch.zeros(1, device=target.device)

    monkeypatch.setattr(graphs, "_fill_free_memory", forgets)
    with stand_in(memory_bytes=64 * MIB), pytest.raises(RuntimeError, match="freed"):
        list(graphs.figures(SMALL))


def test_operators_of_xformers_are_not_listed_where_it_refuses_every_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reason = "it is built for another CUDA"
    monkeypatch.setattr(impls, "load", lambda _: {"xformers": Missing("xformers", reason)})
    assert smoke._operators().value == reason


def test_every_method_of_timing_has_its_figures(steps_of: StepsOf) -> None:
    steps, _, _ = steps_of("timing", memory_bytes=64 * MIB)
    assert "its last line" not in steps["timing"]["fault"]
    assert steps["timing"]["figures"][-1]["name"] == "largest disagreement"
    assert len(steps["timing"]["figures"]) >= 3 * 4 + 2


def test_every_ceiling_has_a_figure(steps_of: StepsOf) -> None:
    """Rates are the CPU's here: the verdicts are tested apart."""
    steps, _, _ = steps_of("ceilings", memory_bytes=1024 * MIB)
    assert "its last line" not in steps["ceilings"]["fault"]
    assert [each["name"] for each in steps["ceilings"]["figures"]][-3:] == [
        "stated bandwidth",
        "float16 / float32",
        "bfloat16 / float32",
    ]


def test_memory_beyond_the_device_is_recorded_and_the_run_goes_on(steps_of: StepsOf) -> None:
    """At this size the check's own reference rows do not fit beside other implementations, too."""
    steps, _, status = steps_of("large", memory_bytes=16 * MIB)
    found = {each["name"]: each for each in steps["large"]["figures"]}
    assert found["naive"]["holds"]
    assert sum(" on b1 h1 " in name for name in found) == 4
    assert "its last line" not in steps["large"]["fault"]
    assert status == 1


@pytest.mark.parametrize(
    ("dense", "other", "holds"),
    [
        ("out_of_memory", "ok", [True, True]),
        ("out_of_memory", "crashed", [True, False]),
        ("ok", "ok", [False, True]),
    ],
)
def test_memory_runs_out_for_the_dense_implementation_alone(
    dense: Status, other: Status, holds: list[bool]
) -> None:
    problem = Problem.parse("b1 h1 t64 d64 full bf16 cuda")
    found = [
        Record(
            session=CHECK,
            problem=problem,
            implementation=name,
            status=status,
            cause=CAUSES[status][0],
            reason="" if status == "ok" else "planted",
        )
        for name, status in (("naive", dense), ("sdpa_flash", other))
    ]
    verdicts = [each.holds for each in large.verdicts(found) if each.holds is not None]
    assert verdicts == holds


def test_a_device_error_of_one_implementation_does_not_reach_another(steps_of: StepsOf) -> None:
    steps, _, status = steps_of("device_assert", memory_bytes=1024 * MIB)
    assert (steps["device_assert"]["fault"], status) == ("", 0)


def test_without_a_gpu_it_is_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "run_bench.py"), "selftest", "--device", "cuda"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "finds no such device here, only cpu; see docs/gpu.md" in line
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "gpu"), "--device is 'gpu'; expected cpu, cuda or cuda:1"),
        (("--device", "cuda", "--only", "smok"), "did you mean 'smoke'? expected one of smoke,"),
        (("--device", "cuda", "--threads", "2"), "--threads with --device cuda"),
        (("--only", "smoke"), "--only without --device cuda"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = selftest(tmp_path, *words)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line


def test_methods_of_timing_agree_within_five_percent_or_fail() -> None:
    within, beyond = timing.ratios("a", {"events": 1.0, "graph": 0.96, "other": 1.06})
    assert (within.holds, beyond.holds) == (True, False)
    assert beyond.fault.startswith("a: other / events: 1.06; expected 0.95 to 1.05")


@pytest.mark.parametrize(("ms", "holds"), [(0.94, False), (1.08, True), (1.16, False)])
def test_do_bench_may_take_longer_since_its_caches_are_cold(ms: float, *, holds: bool) -> None:
    (found,) = timing.ratios("a", {"events": 1.0, "do_bench": ms})
    assert found.holds is holds
    assert found.expected == "0.95 to 1.15"


def test_calls_that_cannot_be_captured_fail() -> None:
    (found,) = timing.ratios("a", {"events": 1.0, "graph": None, "do_bench": None})
    assert found.fault == "a: graph: None; expected a time: these calls can be captured"


def test_without_do_bench_there_is_no_ratio_of_it() -> None:
    found = list(timing.ratios("a", {"events": 1.0, "graph": 1.0, "do_bench": None}))
    assert [each.name for each in found] == ["a: graph / events"]


@pytest.mark.parametrize(("read", "holds"), [(0.3, False), (0.9, True), (1.1, False)])
def test_read_bandwidth_is_held_against_the_stated_one(read: float, *, holds: bool) -> None:
    rates = (Ceiling(kind="read", residency="memory", value=read * 4e12, device="cuda"),)
    (found,) = ceilings.bandwidth(rates, 4e12)
    assert found.holds is holds


def test_stated_bandwidth_is_clock_times_bus_at_double_rate() -> None:
    class Properties:
        memory_clock_rate, memory_bus_width = 2_619_000, 5120  # kHz and bits

    assert ceilings.stated_bandwidth(Properties()) == pytest.approx(3.352e12, rel=1e-3)
    assert ceilings.stated_bandwidth(object()) is None


@pytest.mark.parametrize(
    ("capability", "half", "holds"),
    [((9, 0), 10.0, True), ((9, 0), 1.0, False), ((7, 0), 1.0, None)],
)
def test_half_precision_is_faster_where_it_has_tensor_cores(
    capability: tuple[int, int], half: float, *, holds: bool | None
) -> None:
    rates = {"float32": 1.0, "float16": half, "bfloat16": half}
    found = [
        Ceiling(kind="matmul", dtype=name, residency="memory", value=rate, device="cuda")
        for name, rate in rates.items()
    ]
    assert {each.holds for each in ceilings.products(found, capability)} == {holds}


@pytest.mark.parametrize(("ended_s", "holds"), [(14.0, True), (25.0, False)])
def test_an_overrun_of_twice_the_forecast_fails(ended_s: float, *, holds: bool) -> None:
    forecasts = [(0.0, TimeLeft(99.0)), (5.0, TimeLeft(8.0))]
    forecast, took, ratio = last_session(forecasts, ended_s)
    assert (forecast.value, took.value) == (8, ended_s - 5)
    assert ratio.value == pytest.approx((ended_s - 5) / 8)
    assert ratio.holds is holds


def test_a_run_without_times_fails() -> None:
    assert [each.holds for each in summary([])] == [False, False]


def test_sizes_follow_the_memory_of_the_device() -> None:
    assert (sizes.length(141 << 30), sizes.length(80 << 30), sizes.length(24 << 30)) == (
        2048,
        2048,
        1024,
    )
    assert sizes.rows(141 << 30) == 4096
    length = sizes.too_long(80 << 30, 1.5)
    assert length % 64 == 0
    assert 1.5 <= length**2 * sizes.HALF_BYTES / (80 << 30) < 1.51


@pytest.mark.parametrize(("capability", "half"), [([7, 5], "fp16"), ([8, 0], "bf16")])
def test_half_precision_follows_the_capability(
    capability: list[int], half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"devices": [{"device": "cuda", "memory_bytes": 16 << 30, "capability": capability}]}
    monkeypatch.setattr(conduct, "open_catalogue", lambda *_, **__: (facts, ()))
    target = conduct.machine_with("cuda").target
    assert target.half == half
    assert sizes.problem(target, "causal").endswith(f"d128 causal {half}")
