"""The tensors of a problem, seeded: equal on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log
from random import Random
from typing import Any, Final

import torch
from torch import Tensor

from impls.interface import BiasValues, Implementation, Problem
from suites.measure.gradients import GradientMode, begin_gradients

Bound = Callable[..., Callable[..., Tensor]]
"""What `Implementation.prepared` returns: a function of bias and sink."""
BITS: Final = 5
"""Random bits that choose one of 32 sets of signs. Successive draws give up to 2^32 inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The tensors that an implementation is called with.

    q      [B, Hq, Tq, D]
    k      [B, Hk, Tk, D]
    v      [B, Hk, Tk, Dv]
    grad   [B, Hq, Tq, Dv], the gradient of the output; None without training
    bias   of the problem's positional encoding, or a dense one; None without one
    sink   [Hq] logits; None without a sink
    """

    q: Tensor
    k: Tensor
    v: Tensor
    grad: Tensor | None = None
    bias: BiasValues | None = None
    sink: Tensor | None = None


def make_inputs(problem: Problem, *, purpose: str, session: int = 0, seed: int = 0) -> Inputs:
    """Standard-normal inputs, drawn on the CPU in float32, then moved and rounded."""
    generator = torch.Generator().manual_seed(_seed(problem, purpose, session, seed))

    def draw(heads: int, length: int, columns: int) -> Tensor:
        shape = (problem.batch, heads, length, columns)
        return laid_out(torch.randn(shape, generator=generator), problem)

    queries = problem.query_heads, problem.query_length
    keys = problem.key_heads, problem.key_length
    q, k, v = (
        draw(*queries, problem.head_dim),
        draw(*keys, problem.head_dim),
        draw(*keys, problem.value_size),
    )
    grad = draw(*queries, problem.value_size) if problem.training else None
    return Inputs(q, k, v, grad, bias_of(problem, generator), _sink(problem, generator))


def bind(
    implementation: Implementation,
    problem: Problem,
    inputs: Inputs,
    bound: Bound | None = None,
) -> Callable[..., Tensor]:
    """The implementation as a function of q, k and v; other arguments come from problem and inputs.

    bound  what it prepared for the problem earlier; None: it prepares now

    Raises ValueError for padding that does not fit the sizes.
    """
    if bound is None:
        bound = implementation.prepared(problem)
    return bound(bias=inputs.bias, sink=inputs.sink)


def bias_of(problem: Problem, generator: torch.Generator) -> BiasValues | None:
    """Slopes 2^(-8/H), 2^(-16/H), ... (arXiv 2108.12409), or standard-normal numbers."""
    if problem.bias.kind == "none":
        return None
    if problem.bias.kind == "dense":
        shape = (problem.query_heads, problem.query_length, problem.key_length)
        return dense_bias(torch.randn(shape, generator=generator), problem)
    heads = torch.arange(1, problem.query_heads + 1)
    values = 2.0 ** (-8 * heads / problem.query_heads)
    if problem.bias.kind == "relative":
        values = torch.randn(problem.query_heads, problem.bias.buckets, generator=generator)
    return BiasValues(problem.bias.kind, small_tensor(values, problem))


def dense_bias(values: Tensor, problem: Problem) -> BiasValues:
    """The values [Hq, Tq, Tk] on the problem's device and in its dtype, as models have them."""
    dtype = getattr(torch, problem.dtype)
    return BiasValues("dense", values.to(problem.device, dtype).contiguous())


def _sink(problem: Problem, generator: torch.Generator) -> Tensor | None:
    """Standard-normal logits around log(visible keys of a row): about half of the softmax sum."""
    if not problem.sink:
        return None
    seen = max(1.0, problem.visible_pairs / problem.batch / problem.query_length)
    return small_tensor(log(seen) + torch.randn(problem.query_heads, generator=generator), problem)


def small_tensor(x: Tensor, problem: Problem) -> Tensor:
    """On the problem's device, in its dtype or float32, whichever is wider."""
    dtype = torch.promote_types(getattr(torch, problem.dtype), torch.float32)
    return x.to(problem.device, dtype)


def laid_out(x: Tensor, problem: Problem) -> Tensor:
    """A [B, H, T, D] tensor in the problem's dtype, device and layout."""
    moved = x.to(problem.device, getattr(torch, problem.dtype))
    if problem.layout == "bthd":
        return moved.transpose(1, 2).contiguous().transpose(1, 2)
    return moved.contiguous()


def call_of(
    function: Callable[..., Tensor],
    inputs: Inputs,
    between: Inputs | None = None,
    mode: GradientMode | None = None,
) -> Callable[[], tuple[Tensor, ...]]:
    """A call without arguments that returns (out,), or (out, dq, dk, dv) in training.

    between  in training: inputs of another call between forward and backward
    mode     how gradients are taken, shared with other calls; None: this call's own
    """
    if inputs.grad is None:
        return lambda: _forward(function, inputs)
    begin_gradients()
    leaves, others = leaves_of(inputs), [] if between is None else leaves_of(between)
    grad, mode = inputs.grad, GradientMode() if mode is None else mode

    def train() -> tuple[Tensor, ...]:
        out = function(*leaves)
        _expect_tensor(out)
        if others:
            function(*others)
        return (out.detach(), *mode.gradients(out, leaves, grad))

    return train


def leaves_of(inputs: Inputs) -> list[Tensor]:
    """Copies of q, k and v that require gradients; they share the memory of the inputs."""
    return [x.detach().requires_grad_() for x in (inputs.q, inputs.k, inputs.v)]


def copies(inputs: Inputs) -> Inputs:
    """A copy in memory of its own; an expanded gradient stays expanded."""
    bias = inputs.bias
    return Inputs(
        inputs.q.clone(),
        inputs.k.clone(),
        inputs.v.clone(),
        None if inputs.grad is None else _cloned(inputs.grad),
        None if bias is None else replace(bias, values=bias.values.clone()),
        None if inputs.sink is None else inputs.sink.clone(),
    )


def _cloned(x: Tensor) -> Tensor:
    stored = x[tuple(slice(None) if step else slice(1) for step in x.stride())]
    return stored.clone().expand_as(x)


def overwrite(inputs: Inputs, values: Inputs) -> None:
    """Copy other values into these tensors without incrementing their version counters.

    A cache keyed by address or version returns a stale result and is detected.
    """
    pairs = ((inputs.q, values.q), (inputs.k, values.k), (inputs.v, values.v))
    biases = (each.bias.values if each.bias else None for each in (inputs, values))
    others = ((inputs.grad, values.grad), tuple(biases), (inputs.sink, values.sink))
    for into, value in (*pairs, *others):
        if into is not None and value is not None:
            into.data.copy_(value)


class Flips:
    """Flips signs of inputs in place: one for every head and column of q and v, drawn each time.

    Values stay standard normal, and the output changes in every row. A cache keyed by address,
    version or content returns a stale result and is detected.

    keep_scores  whether k gets the signs of q, so that q k^T stays as it is: the scores of real
                 tensors have a structure, which random signs of q alone would destroy
    """

    def __init__(self, inputs: Inputs, seed: int, *, keep_scores: bool = False) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._bits = Random(seed).getrandbits
        self._keeps = keep_scores
        of_scores = inputs.k if keep_scores else inputs.q
        self._of_scores, self._of_v = (_signs(x, generator) for x in (of_scores, inputs.v))

    def change(self, inputs: Inputs) -> None:
        """Flip signs of these inputs, or of others of equal shapes; `grad` stays."""
        signs = self._of_scores[self._bits(BITS)]
        if self._keeps:
            inputs.k.mul_(signs)
            signs = signs.repeat_interleave(inputs.q.shape[1] // inputs.k.shape[1], dim=1)
        inputs.q.mul_(signs)
        inputs.v.mul_(self._of_v[self._bits(BITS)])


def _signs(x: Tensor, generator: torch.Generator) -> list[Tensor]:
    """32 sets of signs, each [1, H, 1, D] in the tensor's dtype; the first column always flips."""
    shape = (1 << BITS, 1, x.shape[1], 1, x.shape[3])
    signs = 2 * torch.randint(2, shape, generator=generator) - 1
    signs[..., 0] = -1
    return list(signs.to(x.device, x.dtype))


def _forward(function: Callable[..., Tensor], inputs: Inputs) -> tuple[Tensor, ...]:
    with torch.no_grad():
        out = function(inputs.q, inputs.k, inputs.v)
    _expect_tensor(out)
    return (out,)


def _expect_tensor(out: object) -> None:
    if not isinstance(out, Tensor):
        raise TypeError(f"returned {type(out).__name__}, expected one tensor")
    if type(out) is not Tensor and _is_lazy(type(out)):
        raise TypeError(
            f"returned {type(out).__name__}, which may compute lazily; expected a plain tensor"
        )


def _is_lazy(kind: type[Tensor]) -> bool:
    """Whether a class overrides torch's functions, so that it may compute after the timed call."""
    functions: tuple[Any, ...] = (Tensor.__torch_function__, torch._C._disabled_torch_function_impl)  # noqa: SLF001 - no public name
    default = [getattr(each, "__func__", each) for each in functions]
    own = getattr(kind.__torch_function__, "__func__", kind.__torch_function__)
    return own not in default or kind.__torch_dispatch__ is not Tensor.__torch_dispatch__


def _seed(problem: Problem, purpose: str, session: int, seed: int) -> int:
    """A seed from all fields but the device: every device gets the same numbers."""
    text = f"{replace(problem, device='cpu')}|{purpose}|{session}|{seed}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
