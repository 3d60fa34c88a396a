"""The tensors of a problem: seeded, and equal on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from impls.interface import Problem


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What an implementation is handed.

    q      [B, Hq, Tq, D]
    k, v   [B, Hk, Tk, D]
    grad   [B, Hq, Tq, D], the gradient of the output, for training only
    """

    q: Tensor
    k: Tensor
    v: Tensor
    grad: Tensor | None = None


def make_inputs(problem: Problem, *, purpose: str, session: int = 0, seed: int = 0) -> Inputs:
    """Standard-normal inputs, drawn on the CPU in float32 and then moved and rounded."""
    generator = torch.Generator().manual_seed(_seed(problem, purpose, session, seed))

    def draw(heads: int, length: int) -> Tensor:
        shape = (problem.batch, heads, length, problem.head_dim)
        return laid_out(torch.randn(shape, generator=generator), problem)

    q = draw(problem.query_heads, problem.query_length)
    k = draw(problem.key_heads, problem.key_length)
    v = draw(problem.key_heads, problem.key_length)
    grad = draw(problem.query_heads, problem.query_length) if problem.training else None
    return Inputs(q, k, v, grad)


def laid_out(x: Tensor, problem: Problem) -> Tensor:
    """A [B, H, T, D] tensor in the problem's dtype, device and layout."""
    moved = x.to(problem.device, getattr(torch, problem.dtype))
    if problem.layout == "bthd":
        return moved.transpose(1, 2).contiguous().transpose(1, 2)
    return moved.contiguous()


def call_of(function: Callable[..., Tensor], inputs: Inputs) -> Callable[[], tuple[Tensor, ...]]:
    """One call without arguments: (out,) forward, or (out, dq, dk, dv) in training."""
    if inputs.grad is None:
        return lambda: _forward(function, inputs)
    leaves = [x.detach().requires_grad_() for x in (inputs.q, inputs.k, inputs.v)]
    grad = inputs.grad

    def train() -> tuple[Tensor, ...]:
        out = function(*leaves)
        _expect_tensor(out)
        return (out.detach(), *torch.autograd.grad(out, leaves, grad))

    return train


def copies(inputs: Inputs) -> Inputs:
    """The same values in memory of their own."""
    grad = None if inputs.grad is None else inputs.grad.clone()
    return replace(inputs, q=inputs.q.clone(), k=inputs.k.clone(), v=inputs.v.clone(), grad=grad)


def change(inputs: Inputs) -> None:
    """Give the inputs other values, in place: q and v change sign.

    The values stay standard normal and the answer differs in every row, so an implementation that
    remembers what it was given by address or version is off.
    """
    with torch.no_grad():
        inputs.q.neg_()
        inputs.v.neg_()


def _forward(function: Callable[..., Tensor], inputs: Inputs) -> tuple[Tensor, ...]:
    with torch.no_grad():
        out = function(inputs.q, inputs.k, inputs.v)
    _expect_tensor(out)
    return (out,)


def _expect_tensor(out: object) -> None:
    if not isinstance(out, Tensor):
        raise TypeError(f"returned {type(out).__name__}, expected one tensor")


def _seed(problem: Problem, purpose: str, session: int, seed: int) -> int:
    """A seed from everything but the device: devices see the same numbers."""
    text = f"{replace(problem, device='cpu')}|{purpose}|{session}|{seed}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
