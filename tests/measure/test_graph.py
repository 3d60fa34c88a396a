from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Sequence

import pytest
import torch

from suites.measure import graph as module
from suites.measure.cuda import EventSampler, Spin
from suites.measure.graph import (
    GRAPH_CALLS,
    Graphs,
    GraphSampler,
    NotCapturableError,
    rotation,
)
from suites.measure.timing import Call
from tests.measure.fake_cuda import FakeCuda

ON_A_DEVICE = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA device here")


def graphs(cuda: FakeCuda) -> Graphs:
    return Graphs(cuda, Spin(cuda), now_ns=cuda.now_ns)


def captured(cuda: FakeCuda, *calls: Call, call_ms: float = 0.005) -> GraphSampler:
    return graphs(cuda).sampler(calls, call_ms)


def test_a_graph_reads_device_time_where_the_host_is_ten_times_slower() -> None:
    cuda = FakeCuda()
    call = cuda.kernel(4, host_us=40)
    sampler = captured(cuda, call)
    assert sampler.take([call], 2500) == pytest.approx(0.004)
    assert (sampler.name, sampler.hidden, sampler.unhidden) == ("graph", True, 0.0)


@pytest.mark.parametrize("sets", [1, 2, 4, 64])
def test_a_call_of_5_us_reads_right_to_1_percent_at_a_gap_of_6_us_between_replays(
    sets: int,
) -> None:
    cuda = FakeCuda()
    cuda.replay_gap_us = 6
    calls = [cuda.kernel(5, host_us=40) for _ in range(sets)]
    for count in (1, sets, 1000):
        assert captured(cuda, *calls).take(calls, count) == pytest.approx(0.005, rel=0.01)


def test_a_graph_holds_256_calls_with_any_number_of_input_sets() -> None:
    for sets in (1, 2, 4, 64):
        calls = [functools.partial(int, n) for n in range(sets)]
        rotated = rotation(calls, 0.005)
        assert rotated == calls * (GRAPH_CALLS // sets)


@pytest.mark.parametrize(("call_ms", "size"), [(0.001, 256), (0.02, 64), (0.4, 4), (5.0, 1)])
def test_a_graph_of_slower_calls_holds_fewer(call_ms: float, size: int) -> None:
    calls = [functools.partial(int, n) for n in range(4)]
    assert len(rotation(calls, call_ms)) == size


def test_a_graph_holds_every_set_of_inputs_equally_often() -> None:
    cuda = FakeCuda()
    calls = [cuda.kernel(us, host_us=10) for us in (3, 6, 9)]
    assert captured(cuda, *calls).take(calls, 100) == pytest.approx(0.006)


def test_the_calls_run_on_the_side_stream_before_the_capture() -> None:
    cuda, made = FakeCuda(), list[tuple[bool, bool]]()

    def call() -> None:
        made.append((cuda._capturing is not None, cuda.stream_now is cuda.main))
        cuda.launch(4, host_us=10)

    captured(cuda, call, call_ms=0.64)
    launch, warm, capture = made[:1], made[1:4], made[4:]
    assert launch == [(False, True)]
    assert warm == [(False, False)] * 3
    assert capture == [(True, False)] * 2


def test_a_graph_is_captured_once_and_replayed() -> None:
    cuda = FakeCuda()
    calls = [cuda.kernel(5, host_us=10), cuda.kernel(5, host_us=10)]
    sampler = captured(cuda, *calls)
    for count in (200, 600, 4000):
        before = cuda.replays
        sampler.take(calls, count)
        launches = 1 if count == 200 else 0  # how long a replay takes to launch
        assert cuda.replays - before == launches + -(-count // GRAPH_CALLS)
    assert cuda.captures == 1


def test_a_graph_is_not_replayed_for_other_calls() -> None:
    cuda = FakeCuda()
    sampler = captured(cuda, cuda.kernel(5, host_us=10))
    with pytest.raises(ValueError, match="these calls are not the captured ones"):
        sampler.take([cuda.kernel(5, host_us=10)], 100)


def test_graphs_of_a_problem_share_a_pool_and_are_released_together() -> None:
    cuda = FakeCuda()
    of_problem = graphs(cuda)
    for _ in range(3):
        of_problem.sampler([cuda.kernel(5, host_us=10)], 0.005)
    assert (len(cuda.held), len(cuda.pools)) == (3, 1)
    of_problem.release()
    assert cuda.held == []


def test_a_call_that_waits_is_refused_before_a_capture_begins() -> None:
    cuda = FakeCuda()
    with pytest.raises(NotCapturableError, match="its calls synchronize the device") as found:
        captured(cuda, cuda.waits(4, host_us=10))
    assert (cuda.captures, found.value.started) == (0, False)


def test_a_failed_capture_has_a_one_line_reason_and_restores_the_stream() -> None:
    cuda = FakeCuda(refuses="CUDA error: operation not permitted when stream is capturing\nmore")
    with pytest.raises(NotCapturableError, match=r"^CUDA error: .* is capturing$") as found:
        captured(cuda, cuda.kernel(4, host_us=10))
    assert cuda.current_stream() is cuda.main
    assert found.value.started


def test_an_error_that_ends_cuda_is_no_failed_capture() -> None:
    cuda = FakeCuda(refuses="CUDA error: an illegal memory access was encountered")
    with pytest.raises(RuntimeError, match="illegal memory access") as found:
        captured(cuda, cuda.kernel(4, host_us=10))
    assert not isinstance(found.value, NotCapturableError)


def test_a_call_that_waits_only_now_and_then_spoils_the_capture() -> None:
    cuda, called = FakeCuda(), [0]

    def call() -> None:
        called[0] += 1
        (cuda.waits if called[0] == 10 else cuda.kernel)(4, 10)()

    with pytest.raises(NotCapturableError, match="capture was invalidated"):
        captured(cuda, call)
    assert cuda.current_stream() is cuda.main


def test_an_empty_graph_is_refused() -> None:
    cuda = FakeCuda()

    def call() -> None:
        cuda.launch(4, host_us=10)
        if cuda._capturing is not None:  # torch says so at the end of such a capture
            warnings.warn("The CUDA Graph is empty. This usually means", stacklevel=1)

    with pytest.raises(NotCapturableError, match="The CUDA Graph is empty"):
        captured(cuda, call)


def test_the_code_says_where_it_ran() -> None:
    assert "NVIDIA H200 on 2026-11-29" in " ".join((module.__doc__ or "").split())


def on_a_device(calls: Sequence[Call], monkeypatch: pytest.MonkeyPatch) -> GraphSampler:
    """The calls captured; a replay raises where their inputs were freed, in torch 2.13 and up."""
    if "check_input_liveness" in inspect.signature(torch.cuda.graph).parameters:
        checking = functools.partial(torch.cuda.graph, check_input_liveness=True)
        monkeypatch.setattr(torch.cuda, "graph", checking)
    return Graphs(torch.cuda, Spin(torch.cuda)).sampler(calls, 0.005)


@pytest.mark.gpu
@ON_A_DEVICE
def test_on_a_device_a_small_product_is_quicker_as_a_graph_than_as_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs = torch.randn(4, 256, 256, device="cuda", dtype=torch.bfloat16)
    calls = [lambda each=each: each @ each for each in inputs]
    one_by_one_ms = EventSampler(torch.cuda).take(calls, 400)
    sampler = on_a_device(calls, monkeypatch)
    sampled_ms = sampler.take(calls, 400)
    assert sampler.hidden
    assert 0 < sampled_ms < 1.5 * one_by_one_ms


@pytest.mark.gpu
@ON_A_DEVICE
def test_on_a_device_a_call_that_waits_is_not_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    one = torch.ones(64, 64, device="cuda")
    with pytest.raises(NotCapturableError):
        on_a_device([lambda: (one @ one).sum().item()], monkeypatch)
