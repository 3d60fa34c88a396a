from __future__ import annotations

import warnings

import pytest
import torch

from suites.measure import graph as module
from suites.measure.cuda import EventSampler
from suites.measure.graph import GRAPH_CALLS, GraphSampler, NotCapturableError, sampler_for
from suites.measure.timing import Call
from tests.measure.fake_cuda import FakeCuda

ON_A_DEVICE = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA device here")


def graphs(cuda: FakeCuda) -> GraphSampler:
    return GraphSampler(cuda, now_ns=cuda.now_ns)


def test_a_graph_reads_device_time_where_the_host_is_ten_times_slower() -> None:
    cuda = FakeCuda()
    sampler = graphs(cuda)
    assert sampler.take([cuda.kernel(4, host_us=40)], 2500) == pytest.approx(0.004)
    assert (sampler.name, sampler.hidden) == ("graph", True)


def test_the_gap_between_replays_is_shared_by_the_calls_of_a_graph() -> None:
    cuda = FakeCuda()
    cuda.replay_gap_us = 6
    sampled = graphs(cuda).take([cuda.kernel(4, host_us=40)], 2560)
    assert sampled == pytest.approx(0.004 + 0.006 / GRAPH_CALLS)


def test_a_graph_holds_every_set_of_inputs_equally_often() -> None:
    cuda = FakeCuda()
    calls = [cuda.kernel(us, host_us=10) for us in (3, 6, 9)]
    assert graphs(cuda).take(calls, 100) == pytest.approx(0.006)


def test_the_calls_run_outside_the_graph_first() -> None:
    cuda, captured = FakeCuda(), list[bool]()

    def call() -> None:
        captured.append(cuda._capturing is not None)
        cuda.launch(4, host_us=10)

    graphs(cuda).take([call], 2)
    assert captured == [False] * 4 + [True] * 2  # how long queueing takes, then three to warm up


def test_the_same_calls_are_captured_once_and_replayed() -> None:
    cuda = FakeCuda()
    sampler = graphs(cuda)
    calls = [cuda.kernel(4, host_us=10), cuda.kernel(4, host_us=10)]
    sampler.take(calls, 200)
    sampler.take(calls, 200)
    assert cuda.captures == 1
    before = cuda.replays
    sampler.take(calls, 600)
    assert cuda.replays - before == 3
    sampler.take(calls[:1], 200)
    assert cuda.captures == 2


def test_a_call_that_waits_is_refused_before_a_capture_begins() -> None:
    cuda = FakeCuda()
    with pytest.raises(NotCapturableError, match="a call synchronizes, which a CUDA"):
        graphs(cuda).take([cuda.waits(4, host_us=10)], 100)
    assert cuda.captures == 0


def test_a_failed_capture_has_a_one_line_reason_and_restores_the_stream() -> None:
    cuda = FakeCuda(refuses="CUDA error: operation not permitted\nCompile with X\n")
    with pytest.raises(
        NotCapturableError,
        match=r"^cannot be captured as a CUDA graph: CUDA error: operation not permitted$",
    ):
        graphs(cuda).take([cuda.kernel(4, host_us=10)], 100)
    assert cuda.current_stream() is cuda.main


def test_a_call_that_waits_only_now_and_then_spoils_the_capture() -> None:
    cuda, called = FakeCuda(), [0]

    def call() -> None:
        called[0] += 1
        (cuda.waits if called[0] == 10 else cuda.kernel)(4, 10)()

    with pytest.raises(NotCapturableError, match="cannot be captured"):
        graphs(cuda).take([call], 100)
    assert cuda.current_stream() is cuda.main


def test_an_empty_graph_is_refused() -> None:
    cuda = FakeCuda()

    def call() -> None:
        cuda.launch(4, host_us=10)
        if cuda._capturing is not None:  # torch says so at the end of such a capture
            warnings.warn("The CUDA Graph is empty. This usually means", stacklevel=1)

    with pytest.raises(NotCapturableError, match="The CUDA Graph is empty"):
        graphs(cuda).take([call], 100)


@pytest.mark.parametrize(
    ("call_ms", "flush", "name"),
    [(0.049, None, "graph"), (0.05, None, "events"), (0.01, print, "cold events")],
)
def test_the_sampler_is_chosen_by_the_length_of_a_call(
    call_ms: float, flush: Call | None, name: str
) -> None:
    assert sampler_for(call_ms, FakeCuda(), flush=flush).name == name


def test_the_code_says_plainly_that_it_never_ran_on_a_gpu() -> None:
    assert "it never ran on a GPU" in " ".join((module.__doc__ or "").split())


@pytest.mark.gpu
@ON_A_DEVICE
def test_on_a_device_a_small_product_is_quicker_as_a_graph_than_as_calls() -> None:
    inputs = torch.randn(4, 256, 256, device="cuda", dtype=torch.bfloat16)
    calls = [lambda each=each: each @ each for each in inputs]
    one_by_one_ms = EventSampler(torch.cuda).take(calls, 400)
    sampler = GraphSampler(torch.cuda)
    sampled_ms = sampler.take(calls, 400)
    assert sampler.hidden
    assert 0 < sampled_ms < 1.5 * one_by_one_ms


@pytest.mark.gpu
@ON_A_DEVICE
def test_on_a_device_a_call_that_waits_is_not_captured() -> None:
    one = torch.ones(64, 64, device="cuda")
    with pytest.raises(NotCapturableError):
        GraphSampler(torch.cuda).take([lambda: (one @ one).sum().item()], 10)
