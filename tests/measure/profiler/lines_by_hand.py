"""Functions whose operators are known line by line; lines are found by their comments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Call = Callable[[Tensor], Any]


def line_of(mark: str) -> int:
    """The number of the line that ends with a comment."""
    lines = Path(__file__).read_text().splitlines()
    (found,) = [number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}")]
    return found


def slots(x: Tensor) -> Tensor:
    """Operators behind symbols, which call no Python function."""
    made = x @ x  # product
    made *= x  # in place
    return -made  # negative


def nested(x: Tensor) -> Tensor:
    """A function within a function."""

    def inner(y: Tensor) -> Tensor:
        return y.exp()  # inner

    made = inner(x)  # calls inner
    return made.sin()  # after inner


def with_lambda(x: Tensor) -> Tensor:
    """A lambda."""
    apply: Call = lambda y: y.exp()  # noqa: E731 - tested # lambda
    made: Tensor = apply(x).sin()  # calls lambda
    return made


def comprehension(x: Tensor) -> list[Tensor]:
    """A list comprehension over two lines."""
    return [
        y.exp()  # element
        for y in (x.sin(), x.cos())  # sources
    ]


def generated(x: Tensor) -> Tensor:
    """A generator that continues between the lines of its caller."""

    def steps() -> Iterator[Tensor]:
        made = x.exp()  # first step
        yield made
        yield made.sin()  # second step

    found = steps()
    first = next(found)  # asks first
    between = first.cos()  # between
    return between + next(found)  # asks second


class Layer(nn.Module):
    """A module that is called through torch's own code."""

    def forward(self, x: Tensor) -> Tensor:
        """One operator."""
        return x.exp()  # forward


layer = Layer()


def module(x: Tensor) -> Tensor:
    """Calls a module."""
    return layer(x)  # calls module


class Own(torch.autograd.Function):
    """A backward pass in Python."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The exponential."""
        made = x.exp()  # own forward
        ctx.save_for_backward(made)
        return made

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Its gradient."""
        (made,) = ctx.saved_tensors
        return grad * made.sin()  # own backward


def own_backward(x: Tensor) -> Tensor:
    """Forward and backward of the function above."""
    leaf = x.detach().requires_grad_()
    out = Own.apply(leaf)  # type: ignore[no-untyped-call] # torch's # applies own
    return torch.autograd.grad(out.sum(), leaf)[0]


def built_in_backward(x: Tensor) -> Tensor:
    """Forward and backward of torch's own operators."""
    leaf = x.detach().requires_grad_()
    made = leaf.exp()  # forward of exp
    out = made.sin()  # forward of sin
    return torch.autograd.grad(out.sum(), leaf)[0]


def threaded(x: Tensor) -> Tensor:
    """An operator in a thread of Python, beside one of the call."""
    worker = threading.Thread(target=x.exp)
    worker.start()
    worker.join()
    return x.sin()  # own thread


def raising(x: Tensor) -> Tensor:
    """An exception after an operator."""
    x.exp()
    raise ValueError("planted")


def caught(x: Tensor) -> Tensor:
    """An exception that is caught."""
    try:
        raising(x)
    except ValueError:
        return x.sin()  # after exception
    return x
