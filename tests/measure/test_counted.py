"""Times of calls on a GPU are of the work, not of the launches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from impls.interface import Limits, Problem, implementation
from suites.agreement.calls import Caller
from suites.agreement.checker import Checker
from suites.measure.inputs import make_inputs
from suites.measure.preparing import Preparation
from suites.measure.timing import HostClock, counted
from tests.stand_in.device import stand_in
from tests.stand_in.runtime import Runtime

KERNEL_MS: Final = 5.0
PROBLEM: Final = Problem.parse("b1 h1 t4 d8 full cuda")


@pytest.fixture
def cuda() -> Iterator[Runtime]:
    """A device that is busy for long after each launch."""
    with stand_in(kernel_us=1e3 * KERNEL_MS) as runtime:
        yield runtime


def one_kernel(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return q * 2


def caller() -> Caller:
    return Caller(Preparation(implementation(Limits())(one_kernel)))


def test_a_counted_call_lasts_until_the_device_is_done(cuda: Runtime) -> None:
    x, took_ms = torch.ones(4, device="cuda"), list[float]()
    counted(lambda: x * 2, took_ms, "cuda")()
    assert took_ms[0] >= KERNEL_MS


def test_work_queued_before_a_counted_call_is_done_when_it_begins(cuda: Runtime) -> None:
    x = torch.ones(4, device="cuda")
    x * 2
    assert cuda.free_us > cuda.now_us()
    assert counted(lambda: cuda.free_us <= cuda.now_us(), [], "cuda")()


def test_calls_of_a_check_are_counted_to_the_end_of_their_work(cuda: Runtime) -> None:
    found, inputs = caller(), make_inputs(PROBLEM, purpose="check")
    found.call(PROBLEM, inputs)()
    found.function(PROBLEM, inputs)(inputs.q, inputs.k, inputs.v)
    assert len(found.took_ms) == 2
    assert min(found.took_ms) >= KERNEL_MS


def test_the_time_that_forecasts_use_is_of_the_work(cuda: Runtime) -> None:
    """The check is at fault, after one call of known length on the device."""
    finding = Checker(PROBLEM, seed=1).check(implementation(Limits())(one_kernel))
    assert finding.call_ms >= KERNEL_MS
    assert finding.calls_ms >= KERNEL_MS


def test_preparing_lasts_until_the_device_is_done(cuda: Runtime) -> None:
    def prepares(problem: Problem) -> Callable[..., Tensor]:
        mask = torch.ones(4, device=problem.device)
        return lambda q, k, v: q * mask[0]

    found: Any = implementation(Limits())(prepares)
    preparation = Preparation(found)
    preparation.bound(PROBLEM)
    assert preparation.took_ms[PROBLEM] >= KERNEL_MS


def test_on_a_cpu_no_call_reaches_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("torch.cuda was called for a problem on the CPU")

    for name in ("synchronize", "Event", "is_available"):
        monkeypatch.setattr(f"torch.cuda.{name}", refuse)
    took_ms: list[float] = []
    assert counted(lambda x: x + 1, took_ms, "cpu")(1) == 2
    assert len(took_ms) == 1
    assert isinstance(HostClock().stop(), float)
