from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from suites.measure import cuda as module
from suites.measure.cuda import (
    SPIN_MOST_MS,
    EventSampler,
    Spin,
    cross_check_ms,
    host_overhead_ms,
    input_sets,
    sustained,
)
from suites.measure.devices import Cuda
from suites.measure.timing import Call
from tests.measure.fake_cuda import FakeCuda

ON_A_DEVICE = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA device here")


def events(cuda: FakeCuda) -> EventSampler:
    return EventSampler(cuda, now_ns=cuda.now_ns)


def without_a_spin(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> EventSampler:
    monkeypatch.setattr(Spin, "__call__", lambda *_: None)
    monkeypatch.setattr(EventSampler, "launch_ms", lambda *_: 0.02)
    return events(cuda)


def test_without_a_spin_a_call_that_is_slow_to_queue_reads_as_host_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda()
    sampler = without_a_spin(cuda, monkeypatch)
    assert sampler.take([cuda.kernel(5, host_us=20)], 400) == pytest.approx(0.02, rel=0.05)
    assert not sampler.hidden


def test_behind_a_spin_the_same_call_reads_as_device_time() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    assert sampler.take([cuda.kernel(5, host_us=20)], 400) == pytest.approx(0.005)
    assert sampler.hidden


@pytest.mark.parametrize(("device_us", "host_us"), [(50, 10), (3000, 10), (20_000, 4), (700, 900)])
def test_a_sample_is_device_time_at_any_launch_time(device_us: int, host_us: int) -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    assert sampler.take([cuda.kernel(device_us, host_us)], 10) == pytest.approx(device_us / 1000)
    assert sampler.hidden


def test_a_sample_rotates_through_the_inputs() -> None:
    cuda, order = FakeCuda(), list[int]()
    sampler = events(cuda)
    calls = [lambda n=n: order.append(n) for n in range(3)]
    sampler.launch_ms(calls[0])
    order.clear()
    sampler.take(calls, 7)
    assert order == [0, 1, 2, 0, 1, 2, 0]


def test_a_sample_of_unlike_calls_is_their_mean() -> None:
    cuda = FakeCuda()
    calls = [cuda.kernel(100, host_us=5), cuda.kernel(300, host_us=5)]
    assert events(cuda).take(calls, 6) == pytest.approx(0.2)


def test_calls_that_one_spin_cannot_hide_are_timed_in_groups() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    call = cuda.kernel(100, host_us=400)
    sampler.launch_ms(call)
    before = cuda.synchronized
    assert sampler.take([call], 100) == pytest.approx(0.1)
    assert sampler.hidden
    assert cuda.synchronized - before == 2 * 20  # five calls of 0.4 ms behind each spin


def test_a_queue_that_is_full_makes_the_groups_smaller() -> None:
    cuda = FakeCuda(depth=400)
    sampler = events(cuda)
    assert sampler.take([cuda.kernel(5, host_us=2, kernels=20)], 60) == pytest.approx(0.1)
    assert sampler.hidden


def test_a_slow_launch_is_distinguished_from_a_call_that_synchronizes() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    assert sampler.launch_ms(cuda.kernel(100, host_us=8000)) == pytest.approx(8)
    assert sampler.launch_ms(cuda.waits(100, host_us=20)) is None
    assert sampler.launch_ms(cuda.kernel(100, host_us=1e3 * SPIN_MOST_MS)) is None


def test_a_host_that_is_interrupted_makes_no_call_synchronize() -> None:
    cuda, stops_us = FakeCuda(), iter([3000, 20_000, 10])
    assert events(cuda).launch_ms(lambda: cuda.launch(5, host_us=next(stops_us))) == 0.01


def test_a_call_that_waits_for_the_device_is_timed_without_claims() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    assert sampler.take([cuda.waits(100, host_us=20)], 10) == pytest.approx(0.12)
    assert not sampler.hidden
    assert sampler.take([cuda.kernel(100, host_us=20)], 10) == pytest.approx(0.1)
    assert sampler.hidden


def test_the_share_of_samples_with_launch_time_is_known() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    assert sampler.unhidden is None
    for kind in (cuda.kernel, cuda.waits, cuda.kernel, cuda.kernel):
        sampler.take([kind(100, host_us=20)], 10)
    assert sampler.unhidden == 0.25


def test_more_kernels_than_the_queue_holds_are_launch_bound_where_the_host_is_slower() -> None:
    cuda = FakeCuda(depth=400)
    sampler = events(cuda)
    call = cuda.kernel(2, host_us=5, kernels=20_000)
    assert sampler.take([call], 1) == pytest.approx(100, rel=0.01)  # of 40 ms on the device
    assert (sampler.hidden, sampler.unhidden) == (False, 1.0)


def late(cuda: FakeCuda, at: range) -> Call:
    """A call of 1 ms for which the host stops for 20 ms at some times it is called."""
    called = [0]

    def call() -> None:
        cuda.launch(1000, host_us=20_000 if called[0] in at else 10)
        called[0] += 1

    return call


def test_a_sample_is_repeated_when_the_spin_ended_too_early() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    assert sampler.take([late(cuda, range(1, 3))], 1) == pytest.approx(1.0)
    assert sampler.hidden


def test_a_sample_with_host_time_is_marked_as_not_hidden() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    assert sampler.take([late(cuda, range(1, 100))], 1) > 10
    assert not sampler.hidden


def test_the_launch_time_of_a_call_is_measured_once() -> None:
    cuda = FakeCuda()
    sampler = events(cuda)
    calls = [cuda.kernel(1000, host_us=10)]
    sampler.take(calls, 1)
    before = cuda.launched
    sampler.take(calls, 1)
    assert cuda.launched - before == 2  # the spin and the call


def test_the_spin_is_measured_on_a_device_that_has_clocked_up() -> None:
    cuda = FakeCuda(slow_us=100_000)
    assert Spin(cuda).cycles_per_ms == pytest.approx(2_000_000)


def test_a_spin_has_the_requested_length() -> None:
    cuda = FakeCuda()
    spin = Spin(cuda)
    began_us = cuda.now_us
    spin(3.0)
    cuda.synchronize()
    assert cuda.now_us - began_us == pytest.approx(3000)


@pytest.mark.parametrize("kind", ["kernel", "waits"])
def test_cold_calls_are_timed_one_by_one_with_the_flush_outside(kind: str) -> None:
    cuda, order = FakeCuda(), list[str]()

    def flush() -> None:
        order.append("flush")
        cuda.launch(150, host_us=5)

    def call() -> None:
        order.append("call")
        getattr(cuda, kind)(40, host_us=20)()

    sampler = EventSampler(cuda, flush=flush, now_ns=cuda.now_ns)
    sampler.launch_ms(call)
    order.clear()
    assert sampler.take([call], 5) == pytest.approx(0.04)
    assert (sampler.name, order) == ("cold events", ["flush", "call"] * 5)
    assert sampler.hidden == (kind == "kernel")


def test_warm_calls_are_named_for_how_they_are_timed() -> None:
    assert events(FakeCuda()).name == "events"


@pytest.mark.parametrize(
    ("one", "l2", "sets"),
    [(50 << 20, 50 << 20, 4), (1 << 30, 50 << 20, 2), (1 << 10, 50 << 20, 64), (0, 1, 4)],
)
def test_input_sets_exceed_three_times_the_cache(one: int, l2: int, sets: int) -> None:
    assert input_sets(one, l2) == sets
    if 2 < sets < 64:
        assert sets * max(one, 1) > 3 * l2 >= (sets - 1) * max(one, 1)


def test_host_overhead_is_the_queueing_alone() -> None:
    cuda = FakeCuda()
    assert host_overhead_ms(cuda.kernel(900, host_us=20), cuda, cuda.now_ns) == 0.02
    assert host_overhead_ms(cuda.waits(900, host_us=20), cuda, cuda.now_ns) == 0.92


def test_under_load_the_second_half_counts() -> None:
    cuda = FakeCuda()
    began_us = cuda.now_us

    def call() -> None:  # fast for half a second, then throttled
        cuda.launch(400 if cuda.free_us - began_us < 500_000 else 600, host_us=10)

    each_ms, calls = sustained(call, cuda)
    assert each_ms == pytest.approx(0.6)
    assert calls == cuda.launched
    assert cuda.now_us - began_us > 2e6


@pytest.mark.parametrize("device_us", [50, 700, 70_000, 3_000_000])
def test_under_load_the_device_never_rests(device_us: int) -> None:
    cuda = FakeCuda()
    each_ms, calls = sustained(cuda.kernel(device_us, host_us=2), cuda)
    assert each_ms == pytest.approx(device_us / 1000)
    assert calls == cuda.launched
    assert cuda.free_us < 2e6 + 3 * max(1e5, device_us)


def test_the_cross_check_asks_triton_for_its_median(monkeypatch: pytest.MonkeyPatch) -> None:
    def do_bench(call: object, return_mode: str) -> float:
        return {"median": 1.25}[return_mode]

    monkeypatch.setitem(sys.modules, "triton", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "triton.testing", SimpleNamespace(do_bench=do_bench))
    assert cross_check_ms(lambda: None) == 1.25


def test_without_triton_there_is_no_cross_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "triton.testing", raising=False)
    assert cross_check_ms(lambda: None) is None


def test_the_code_says_where_it_ran() -> None:
    assert "NVIDIA H200 on 2026-11-29" in " ".join((module.__doc__ or "").split())


@pytest.mark.gpu
@ON_A_DEVICE
def test_on_a_device_events_and_triton_agree_within_a_third() -> None:
    left, right = torch.randn(2, 4096, 4096, device="cuda", dtype=torch.bfloat16)
    sampler = EventSampler(torch.cuda)
    sampled_ms = sampler.take([lambda: left @ right], 20)
    triton_ms = cross_check_ms(lambda: left @ right)
    if triton_ms is None:
        pytest.skip("triton is not installed")
    assert sampler.hidden
    assert 0.67 < sampled_ms / triton_ms < 1.5


@pytest.mark.gpu
@ON_A_DEVICE
def test_on_a_device_a_call_that_waits_is_seen() -> None:
    one = torch.ones(64, 64, device="cuda")
    sampler = EventSampler(torch.cuda)
    sampler.take([lambda: (one @ one).sum().item()], 5)
    assert not sampler.hidden


@pytest.mark.gpu
@ON_A_DEVICE
def test_on_a_device_the_rotated_inputs_exceed_the_cache() -> None:
    l2_bytes = torch.cuda.get_device_properties(0).L2_cache_size
    sets = input_sets(8 << 20, l2_bytes)
    assert sets == 64 or sets * (8 << 20) > 3 * l2_bytes


@pytest.mark.parametrize(
    ("device_us", "asked", "figures"),
    [
        (900, True, {"host_ms"}),
        (1500, True, {"host_ms", "sustained_ms"}),
        (1500, False, {"host_ms"}),
        (60_000, True, {"sustained_ms"}),
        (1_100_000, True, set()),
    ],
)
def test_host_and_sustained_times_are_measured_beside_samples(
    device_us: int,
    asked: bool,  # noqa: FBT001 - a case
    figures: set[str],
) -> None:
    cuda = FakeCuda()
    stand_in = SimpleNamespace(
        current_device=lambda: 0,
        get_device_properties=lambda index: SimpleNamespace(index=index, uuid="1a2b"),
        Event=cuda.Event,
        synchronize=cuda.synchronize,
    )
    call = cuda.kernel(device_us, host_us=20)
    found = Cuda(stand_in, cold=False).beside(call, device_us / 1000, under_load=asked)
    assert found.keys() == figures
    assert None not in found.values()
