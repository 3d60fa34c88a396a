from __future__ import annotations

from typing import Any

import pytest
import torch

import impls
from impls.interface import Problem
from suites.agreement.checker import Checker
from tests.contract.found import KNOWN
from tests.stand_in.device import stand_in
from tests.stand_in.runtime import Runtime

(NAIVE,) = impls.select(["naive"], KNOWN)


def test_a_tensor_moved_to_cuda_says_so(cuda: Runtime) -> None:
    x = torch.randn(3, 4).to("cuda")
    assert (x.device.type, x.is_cuda) == ("cuda", True)
    assert torch.equal(x.cpu(), (x + 0).cpu())


@pytest.mark.parametrize("words", ["causal", "window:9 bf16 train"])
def test_the_check_runs_on_it(cuda: Runtime, words: str) -> None:
    problem = Problem.parse(f"b2 h4 t33 d16 {words} cuda")
    assert Checker(problem, seed=3).check(NAIVE).reason == ""


class _Breaks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        torch._assert_async(torch.zeros((), device=grads[0].device))
        return grads[0]


def test_an_assert_in_backward_is_raised_by_the_backward_pass_and_by_all_later_calls(
    cuda: Runtime,
) -> None:
    x = torch.ones(3, device="cuda", requires_grad=True)
    made: torch.Tensor = _Breaks.apply(x * 2)  # type: ignore[no-untyped-call] # torch's
    with pytest.raises(torch.AcceleratorError, match="device-side assert"):
        torch.autograd.grad(made.sum(), [x])
    with pytest.raises(torch.AcceleratorError, match="device-side assert"):
        torch.cuda.synchronize()


def test_too_little_memory_in_backward_is_raised_by_the_backward_pass() -> None:
    with stand_in(memory_bytes=3 * 4096) as runtime:
        x = torch.ones(1000, device="cuda", requires_grad=True)
        made = x * 2
        grads = torch.ones_like(made)
        with pytest.raises(torch.OutOfMemoryError):
            torch.autograd.grad(made, [x], grads)
        assert not runtime.broken
