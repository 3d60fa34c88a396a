"""CUDA graphs of the stand-in behave as torch's: values, memory, and what a capture refuses."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.stand_in.device import stand_in
from tests.stand_in.runtime import Runtime


@pytest.fixture
def cuda() -> Iterator[Runtime]:
    with stand_in() as runtime:
        yield runtime


def captured(x: Tensor, y: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch's
    with torch.cuda.graph(graph, stream=stream):
        half = (x + y) / 2
        half.mul_(4)
        out = half.T.relu() - 1
    return graph, out


def test_a_replay_reads_the_present_values_and_writes_the_captured_output(cuda: Runtime) -> None:
    x, y = torch.ones(2, 3, device="cuda"), torch.zeros(2, 3, device="cuda")
    graph, out = captured(x, y)
    y.copy_(torch.arange(6.0).reshape(2, 3).to("cuda"))
    graph.replay()
    expected = (1 + torch.arange(6.0).reshape(2, 3)).T * 2 - 1
    assert torch.equal(out.cpu(), expected)


def test_a_replay_after_its_input_was_freed_is_an_error(cuda: Runtime) -> None:
    x, y = torch.ones(2, 3, device="cuda"), torch.zeros(2, 3, device="cuda")
    graph, _ = captured(x, y)
    graph.replay()
    del y
    gc.collect()
    with pytest.raises(RuntimeError, match="reads memory that was freed"):
        graph.replay()


def test_intermediate_tensors_of_a_graph_are_freed(cuda: Runtime) -> None:
    x, y = torch.ones(64, 64, device="cuda"), torch.ones(64, 64, device="cuda")
    before = cuda.requested
    graph, out = captured(x, y)
    graph.replay()
    assert cuda.requested - before == out.nbytes


@pytest.mark.parametrize("leaks", [False, True])
def test_a_capture_that_waits_fails_and_may_leave_the_allocator_unusable(*, leaks: bool) -> None:
    with stand_in(leaks_failed_captures=leaks):
        x = torch.ones(2, 3, device="cuda")
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch's
        with (
            pytest.raises(RuntimeError, match="due to a previous error"),
            torch.cuda.stream(stream),
            torch.cuda.graph(graph, stream=stream),
        ):
            x.sum().item()
        if not leaks:
            captured(x, x)[0].replay()
            return
        with pytest.raises(RuntimeError, match="captures_underway"):
            captured(x, x)
