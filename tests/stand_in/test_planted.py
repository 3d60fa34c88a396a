"""CPU tensors that are planted where the device's belong: the check on the stand-in finds each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import impls
from impls import reference
from impls.interface import Implementation, Limits, Mask, Problem, implementation
from suites.agreement import hard_numbers
from suites.agreement.attempts import OtherDeviceError
from suites.agreement.checker import Checker
from suites.agreement.hard_numbers import RISING
from suites.agreement.probes import batch_independence, perturbation, strided_inputs
from tests.contract.found import KNOWN
from tests.stand_in.runtime import Runtime

FORWARD = Problem.parse("b2 h4 t65 d16 causal cuda")
TRAINING = Problem.parse("b2 h4 t65 d16 full train cuda")
MIXED = "same device|device type"
(NAIVE,) = impls.select(["naive"], KNOWN)


@implementation(Limits(masks=("full", "causal"), grouped_heads=False))
def cpu_mask_in_the_call(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    seen = mask.dense(len(q), q.shape[2], k.shape[2], torch.device("cpu"))
    return torch.softmax((q @ k.mT * scale).masked_fill(~seen, -torch.inf), -1) @ v


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * torch.ones(grads[0].shape[-1])


@implementation(Limits(masks=("full",), grouped_heads=False))
def cpu_tensor_in_backward(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    out = torch.softmax(q @ k.mT * scale, -1) @ v
    made: Tensor = _Backward.apply(out)  # type: ignore[no-untyped-call] # torch's
    return made


@implementation(Limits(masks=("full", "causal"), grouped_heads=False))
def cpu_mask_in_prepare(problem: Problem) -> Callable[..., Tensor]:
    sizes = problem.batch, problem.query_length, problem.key_length
    seen = problem.mask.dense(*sizes, torch.device("cpu"))

    def call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = q @ k.mT * problem.softmax_scale
        return torch.softmax(scores.masked_fill(~seen, -torch.inf), -1) @ v

    return call


@pytest.mark.parametrize(
    ("each", "problem"),
    [
        (cpu_mask_in_the_call, FORWARD),
        (cpu_tensor_in_backward, TRAINING),
        (cpu_mask_in_prepare, FORWARD),
    ],
    ids=str,
)
def test_a_cpu_tensor_in_an_implementation_is_found(
    cuda: Runtime, each: Implementation, problem: Problem
) -> None:
    with pytest.raises(RuntimeError, match=MIXED):
        Checker(problem, seed=3).check(each)


def test_a_cpu_tensor_in_backward_is_no_fault_of_the_forward_pass(cuda: Runtime) -> None:
    forward = Problem.parse("b2 h4 t65 d16 full cuda")
    assert Checker(forward, seed=3).check(cpu_tensor_in_backward).fault == ""


@pytest.mark.parametrize("probe", [batch_independence, perturbation, strided_inputs])
def test_a_cpu_tensor_in_a_probe_is_found(
    cuda: Runtime, probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tensors that a probe makes stay on the CPU."""
    name = "_placed" if probe is strided_inputs else "laid_out"
    right = getattr(probe, name)

    def planted(x: Tensor, *others: Any) -> Any:
        made = right(x, *others)
        return (made[0].cpu(), made[1]) if isinstance(made, tuple) else made.cpu()

    monkeypatch.setattr(probe, name, planted)
    with pytest.raises(
        (OtherDeviceError, RuntimeError), match=f"a fault of the check: .* on cpu|{MIXED}"
    ):
        Checker(FORWARD, seed=3).check(NAIVE)


def test_a_hard_input_that_mixes_devices_is_found(
    cuda: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers made on the CPU beside q and k of the device."""
    right = hard_numbers.NUMBERS[RISING]

    def planted(q: Tensor, k: Tensor, v: Tensor) -> hard_numbers.Tensors:
        return right(*(x.to("cuda") for x in (q, k, v)))

    monkeypatch.setitem(hard_numbers.NUMBERS, RISING, planted)
    with pytest.raises(RuntimeError, match=MIXED):
        Checker(FORWARD, seed=3).check(NAIVE)


def test_a_reference_that_makes_a_tensor_without_a_device_is_found(cuda: Runtime) -> None:
    def tilted(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        weights = torch.linspace(1, 2, k.shape[2], dtype=k.dtype)[:, None]
        return reference.attention(q, k, v * weights, mask=mask, scale=scale)

    def other(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        return reference.attention(q, k, v, mask=mask, scale=scale)

    each = implementation(Limits(masks=("full", "causal")), reference=tilted)(other)
    with pytest.raises(RuntimeError, match=MIXED):
        Checker(FORWARD, seed=3).check(each)
