"""Gradients by backward() where autograd.grad is refused: the same numbers and the same bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

import impls
from impls.interface import Problem
from suites.measure import gradients, memory
from suites.measure.gradients import BY_BACKWARD, GradientMode
from suites.measure.inputs import Inputs, bind, call_of, make_inputs

TEXTS = (
    "h4 t257 d32 causal train",
    "b2 h4/2 t130 d16 full train bthd",
    "h2 t65/130 d32 window:9 train bf16",
)
Function = Callable[[Tensor, Tensor, Tensor], Tensor]


def naive(text: str) -> tuple[Function, Inputs]:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    (each,) = impls.select(["naive"], impls.load())
    return bind(each, problem, inputs), inputs


def reentrant(function: Function) -> Function:
    def wrapped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out: Tensor = checkpoint(function, q, k, v, use_reentrant=True)
        return out

    return wrapped


@pytest.mark.parametrize("text", TEXTS)
def test_backward_gives_the_numbers_and_the_bytes_of_autograd_grad(text: str) -> None:
    function, inputs = naive(text)
    call_of(function, inputs)()
    found = [
        memory.measure(call_of(function, inputs, mode=GradientMode(by_backward=mode)), "cpu")
        for mode in (False, True)
    ]
    (by_grad, bytes_of_grad), (by_backward, bytes_of_backward) = found
    assert all(torch.equal(x, y) for x, y in zip(by_grad, by_backward, strict=True))
    assert bytes_of_grad.peak_bytes
    assert bytes_of_grad.peak_bytes == bytes_of_backward.peak_bytes
    assert bytes_of_grad.kept_bytes == bytes_of_backward.kept_bytes == 0


def test_a_reentrant_checkpoint_gets_its_gradients_in_every_call_and_a_note() -> None:
    function, inputs = naive(TEXTS[0])
    mode = GradientMode()
    call = call_of(reentrant(function), inputs, mode=mode)
    expected = call_of(function, inputs)()
    for _ in range(3):  # gradients are not added up
        assert all(torch.equal(x, y) for x, y in zip(call(), expected, strict=True))
    assert mode.notes == (BY_BACKWARD,)
    assert inputs.q.grad is None


def test_all_other_functions_get_theirs_by_autograd_grad(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    def has_node(_: Tensor, name: str) -> bool:
        searched.append(name)
        return False

    monkeypatch.setattr(gradients, "has_node", has_node)
    function, inputs = naive(TEXTS[0])
    mode = GradientMode()
    call = call_of(function, inputs, mode=mode)
    call()
    call()
    assert mode.notes == ()
    assert searched == [gradients.REENTRANT]  # in the first call alone


def test_an_input_that_the_output_does_not_depend_on_has_a_gradient_of_zero() -> None:
    _, inputs = naive(TEXTS[0])
    call = call_of(lambda q, k, v: q * v, inputs, mode=GradientMode(by_backward=True))
    assert torch.equal(call()[2], torch.zeros_like(inputs.k))


def test_a_graph_is_searched_through_all_of_its_nodes() -> None:
    q = torch.ones(2, 2, requires_grad=True)
    shared = q.exp()
    out = (checkpoint(torch.sin, shared, use_reentrant=True) + shared) @ shared
    assert gradients.has_node(out, gradients.REENTRANT)
    assert not gradients.has_node(shared @ shared, gradients.REENTRANT)
    assert not gradients.has_node(torch.ones(1), gradients.REENTRANT)
