"""Clocks at the ends of attention calls: forward and backward, by layer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from suites.models.clocks import Clocks
from tests.stand_in.device import stand_in

SLEPT_MS = 5.0
"""At least: a sleep never ends early."""


class Slow(torch.autograd.Function):
    """The identity, whose gradient takes a while."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        time.sleep(SLEPT_MS / 1e3)
        return grad


def quick(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return q + k + v


def slow_forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    time.sleep(SLEPT_MS / 1e3)
    return quick(q, k, v)


def slow_backward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    made: Tensor = Slow.apply(quick(q, k, v))  # type: ignore[no-untyped-call] # torch's
    return made


def step(clocks: Clocks, layers: dict[str, Callable[..., Tensor]], *, train: bool) -> Any:
    """A step through these layers, with slow work between them."""
    x = torch.ones(1, 1, 4, 2, requires_grad=train)

    def run() -> None:
        out = x
        for name, function in layers.items():
            out = Slow.apply(out)  # type: ignore[no-untyped-call] # torch's
            out = clocks.around(name, function)(out, 2 * out, out)
            time.sleep(SLEPT_MS / 1e3)
        if train:
            out.sum().backward()  # type: ignore[no-untyped-call] # torch's

    return run


def test_time_is_that_of_the_call_alone_by_layer_forward_and_backward() -> None:
    clocks = Clocks("cpu")
    layers = {"quick": quick, "forward": slow_forward, "backward": slow_backward}
    found = clocks.timed(step(clocks, layers, train=True))
    by_name = {each.layer: each for each in found.layers}
    assert list(by_name) == list(layers)
    assert by_name["forward"].forward_ms >= SLEPT_MS
    assert (by_name["backward"].backward_ms or 0) >= SLEPT_MS
    assert found.step_ms >= 8 * SLEPT_MS  # three pauses, three slow gradients between, two layers
    assert found.attention_ms <= found.step_ms - 6 * SLEPT_MS
    assert 0 < found.share < 1


def test_without_gradients_there_is_no_backward_time() -> None:
    clocks = Clocks("cpu")
    found = clocks.timed(step(clocks, {"one": slow_forward}, train=False))
    assert found.layers[0].backward_ms is None
    assert found.attention_ms >= SLEPT_MS


def test_outside_of_timed_steps_the_function_is_called_as_it_is() -> None:
    assert Clocks("cpu").around("one", quick) is quick


@pytest.mark.parametrize("train", [False, True])
def test_on_a_gpu_events_mark_the_ends(train: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    with stand_in():
        clocks = Clocks("cuda")

        def run() -> None:
            x = torch.ones(1, 1, 4, 2, device="cuda", requires_grad=train)
            out = clocks.around("one", quick)(x, x, x)
            if train:
                out.sum().backward()  # type: ignore[no-untyped-call] # torch's

        found = clocks.timed(run)
    assert 0 < found.attention_ms < found.step_ms
    assert (found.layers[0].backward_ms is not None) == train
