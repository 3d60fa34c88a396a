from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from impls.interface import Problem
from suites.measure import ceilings
from suites.measure.ceilings import measure
from suites.measure.cuda import EventSampler, Spin
from suites.measure.timing import HotSampler
from suites.stats.ceilings import Ceiling, attainable_ms, share, work
from tests.measure.fake_cuda import FakeCuda
from tests.stand_in.device import stand_in

ROOT = Path(__file__).parents[2]
PROBLEM = Problem.parse("b1 h1 t1000 d50 full")
"""2e8 FLOP and 8e5 bytes."""


def ceiling(value: float, **changes: Any) -> Ceiling:
    fields: dict[str, Any] = {"kind": "read", "residency": "cache", "device": "cpu"}
    return Ceiling(value=value, **{**fields, **changes})


def product(value: float, **changes: Any) -> Ceiling:
    return ceiling(value, kind="matmul", **{"dtype": "float32", **changes})


def test_with_high_bandwidth_flops_limit_the_time() -> None:
    assert attainable_ms(PROBLEM, [ceiling(1e12), product(1e9)]) == 200.0


def test_with_fast_products_bytes_limit_the_time() -> None:
    assert attainable_ms(PROBLEM, [ceiling(1e6), product(1e15)]) == 800.0


def test_the_best_ceiling_of_the_device_and_dtype_counts() -> None:
    found = [
        ceiling(1e12),
        ceiling(1e6, kind="copy", residency="memory"),
        product(1e9, residency="memory"),
        product(2e9),
        product(9e9, dtype="bfloat16"),
        product(9e9, device="cuda"),
    ]
    assert attainable_ms(PROBLEM, found) == 100.0
    assert attainable_ms(PROBLEM, iter(found)) == 100.0


@pytest.mark.parametrize(
    "found",
    [
        [],
        [ceiling(1e12)],
        [product(1e9)],
        [ceiling(1e12), product(1e9, dtype="float64")],
        [ceiling(1e12, device="cuda"), product(1e9)],
    ],
)
def test_without_a_required_ceiling_there_is_no_share(found: list[Ceiling]) -> None:
    assert attainable_ms(PROBLEM, found) is None
    assert share(PROBLEM, 1.0, found) is None


def test_a_layer_has_the_work_of_its_projections_too() -> None:
    problem = Problem.parse("b2 h4/2 t3/5 d8 fp32 cpu")
    flops, least_bytes = work(problem, "layers") or (0, 0)
    queries = torch.zeros(2, 3, 32), torch.zeros(32, 32)
    keys = torch.zeros(2, 5, 16), torch.zeros(16, 16)
    with FlopCounterMode(display=False) as counter:
        for activations, weights in (queries, keys):
            for _ in range(2):
                activations @ weights
    assert flops - problem.flops == counter.get_total_flops()
    assert least_bytes - problem.fewest_bytes == 4 * 2 * (32**2 + 16**2)
    training = replace(problem, training=True)
    assert (work(training, "layers") or (0, 0))[0] - training.flops == 2 * (flops - problem.flops)
    assert work(problem, "attention") == (problem.flops, problem.fewest_bytes)
    assert work(problem, "dense_linear") is None
    assert share(problem, 1.0, [ceiling(1e12), product(1e9)], "dense_linear") is None


def test_the_share_may_lie_above_the_ceiling() -> None:
    found = [ceiling(1e12), product(1e9)]
    assert share(PROBLEM, 400.0, found) == 0.5
    assert share(PROBLEM, 100.0, found) == 2.0


def test_pages_work_with_ceilings_without_torch() -> None:
    code = "import sys, suites.stats.ceilings; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert child.returncode == 0


class FakeClock:
    """Every stretch of work takes the same time on it."""

    def __init__(self, ms: float) -> None:
        self.ms = ms
        self.stops = 0

    def start(self) -> None:
        pass

    def stop(self) -> float:
        self.stops += 1
        return self.ms


def test_rates_are_work_by_time() -> None:
    found = measure("cpu", ["float32"], clock=FakeClock(2.0), last_level_bytes=1 << 20)
    of = {(each.kind, each.residency): each for each in found}
    assert of["read", "cache"].value == (1 << 18) / 2e-3
    assert of["copy", "memory"].value == (64 << 20) / 2e-3
    assert of["matmul", "cache"].value == 2 * 256**3 / 2e-3
    assert of["matmul", "memory"].value == 2 * 576**3 / 2e-3  # half as much again as 384 rows
    assert {(each.device, each.dtype) for each in found} == {("cpu", ""), ("cpu", "float32")}
    assert len(found) == len(of) == 6


def test_products_with_a_long_forecast_are_left_out() -> None:
    clock = FakeClock(ceilings.LONGEST_MS + 1)
    found = measure("cpu", ["float32"], clock=clock, last_level_bytes=1 << 20)
    assert [each.residency for each in found if each.kind == "matmul"] == ["cache"]
    assert clock.stops == 2 * (2 + 1) + 1


def bench_on(clock: FakeClock) -> ceilings._Bench:
    pool = torch.ones(1 << 17, dtype=torch.uint8)
    return ceilings._Bench(torch, pool, HotSampler(clock), ceilings.BUDGET_MS)


def taking(clock: FakeClock, *took_ms: float) -> Callable[[], None]:
    """A call that takes the next of these times."""
    left = iter(took_ms)

    def call() -> None:
        clock.ms = next(left)

    return call


def test_repeats_end_with_the_budget_and_the_best_counts() -> None:
    clock = FakeClock(0.0)
    call = taking(clock, 4.0, 3.0, 2.0, 3.0, 4.0, 4.0, 1.0)
    assert bench_on(clock).best_ms(call, budget_ms=20.0) == 2.0
    assert clock.stops == 6


def test_a_single_hiccup_does_not_pass_for_the_best() -> None:
    clock = FakeClock(0.0)
    call = taking(clock, 40.0, 11.0, 12.0, 10.0, 11.0, 1.0)
    assert bench_on(clock).best_ms(call, budget_ms=30.0) == 10.0
    assert clock.stops == 5


def test_a_call_far_beyond_the_budget_is_made_once() -> None:
    clock = FakeClock(36.0)
    assert bench_on(clock).best_ms(lambda: None, budget_ms=9.0) == 36.0
    assert clock.stops == 1


def test_short_calls_are_timed_several_at_once() -> None:
    calls: list[str] = []
    assert bench_on(FakeClock(0.25)).best_ms(lambda: calls.append("x"), 1.5) == 0.25 / 4
    assert len(calls) == 1 + 5 * 4


def test_half_precision_by_way_of_float32_is_the_same_product() -> None:
    made = []
    for widen in (False, True):
        call = ceilings._product(bench_on(FakeClock(1.0)), "bfloat16", 64, widen=widen)
        assert call is not None
        made.append(call())
    plain, widened = made
    assert isinstance(plain, torch.Tensor)
    assert isinstance(widened, torch.Tensor)
    assert plain.dtype == widened.dtype == torch.bfloat16
    torch.testing.assert_close(plain, widened)


def test_a_product_that_does_not_fit_is_left_out() -> None:
    bench = bench_on(FakeClock(1.0))
    assert ceilings._product(bench, "float32", 64, widen=False) is not None
    assert ceilings._product(bench, "float32", 128, widen=False) is None
    assert list(ceilings._rates(bench, "float32", [(128, "cache")], widen=False)) == []


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_every_dtype_has_ceilings_on_this_machine(dtype: str) -> None:
    state = torch.get_rng_state()
    found = measure("cpu", [dtype], budget_ms=1.0, last_level_bytes=1 << 20)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(0 < each.value < float("inf") for each in found)
    assert attainable_ms(Problem(dtype=dtype), found) is not None


class VirtualGpu:
    """Bytes on a GPU that only exist as numbers, and kernels on a virtual clock."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.pool = SimpleNamespace(device=SimpleNamespace(type="cuda"))
        spin = Spin(cuda)
        self.sampler = EventSampler(cuda, spin=spin, now_ns=cuda.now_ns)
        self.bench = ceilings._Bench(None, self.pool, self.sampler, ceilings.BUDGET_MS)


def test_on_a_gpu_the_rate_of_short_calls_is_that_of_the_device_not_of_launches() -> None:
    cuda = FakeCuda()
    bench = VirtualGpu(cuda).bench
    assert bench.best_ms(cuda.kernel(1.5, host_us=6.0), 40.0) == pytest.approx(1.5e-3)


def test_on_a_gpu_spins_count_for_the_budget() -> None:
    cuda = FakeCuda()
    bench = VirtualGpu(cuda).bench
    began_us = cuda.now_us
    bench.best_ms(cuda.kernel(1.5, host_us=6.0), 40.0)
    assert (cuda.now_us - began_us) / 1e3 < 2 * 40.0


def test_the_ceilings_of_a_gpu_come_from_random_numbers_on_the_device() -> None:
    with stand_in(kernel_us=5.0):
        state = torch.get_rng_state()
        found = measure("cuda", ["bfloat16"], budget_ms=1.0)
        assert torch.equal(torch.get_rng_state(), state)
        pool = ceilings._pool("cuda", 1 << 20, torch).view(torch.float32)
        drawn = pool[:1000].cpu()
    assert {each.device for each in found} == {"cuda"}
    assert all(0 < each.value < float("inf") for each in found)
    assert len(drawn.unique()) > 990
    assert pool.numel() * 4 == 64 << 20


def test_the_code_says_where_its_path_for_a_gpu_ran() -> None:
    assert "NVIDIA H200 on 2026-11-29" in " ".join((ceilings.__doc__ or "").split())
