"""jax.nn.dot_product_attention on a CPU, compiled by XLA, forward and backward.

    python -m pip install -c constraints.txt -e ".[peers-jax]"
    python run_bench.py check docs/peers/jax_attention.py
    python run_bench.py run --suite scaling --impl sdpa_flash --impl docs/peers/jax_attention.py

Its causal mask has top-left alignment, so unequal lengths are accepted for a full mask only. A
window is a mask inside XLA: hidden pairs are computed, too. Tensors pass between torch and JAX
without a copy (DLPack), unless they are views with gaps.
"""

# ruff: noqa: INP001 - a file to copy from, no package

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from impls.interface import AttentionFunction, Library, Limits, Problem, implementation

if TYPE_CHECKING:
    from torch import Tensor

JAX = Library(distribution="jax", module="jax", extra="peers-jax")


@implementation(
    Limits(
        devices=("cpu",),
        dtypes=("float32", "bfloat16"),  # float64 is off by default; float16 products do not exist
        masks=("full", "causal", "window"),
        unequal_masks=("full",),
    ),
    library=JAX,
    slow_start=True,
    apart="its thread pool cannot share CPUs that OpenMP has bound",
    layout="bthd",
)
def jax_attention(problem: Problem) -> AttentionFunction:
    """JAX's attention with XLA's own threads, one compiled function for each problem."""
    jax = JAX.imported()
    attention = partial(
        jax.nn.dot_product_attention, scale=problem.softmax_scale, **_mask_arguments(problem)
    )
    if not problem.training:
        compiled = jax.jit(attention)
        return lambda q, k, v: _tensor(compiled(*(_array(jax, x) for x in (q, k, v))))
    forward = jax.jit(partial(jax.vjp, attention))
    backward = jax.jit(lambda pullback, grad: pullback(grad))
    return partial(_Differentiable.apply, jax, forward, backward)


def _mask_arguments(problem: Problem) -> dict[str, Any]:
    """The mask in JAX's words. Its left reach does not count the query's own key; ours does."""
    mask, lengths = problem.mask, (problem.query_length, problem.key_length)
    if not mask.hides_a_key(problem.batch, *lengths):
        return {}
    if mask.kind == "causal":
        return {"is_causal": True}
    left = lengths[1] if mask.left is None else mask.left - 1
    right = lengths[0] if mask.right is None else mask.right
    return {"local_window_size": (left, right)}


class _Differentiable(torch.autograd.Function):
    """JAX's forward and backward pass as one operation of torch's autograd."""

    @staticmethod
    def forward(ctx: Any, jax: Any, forward: Any, backward: Any, *qkv: Tensor) -> Tensor:
        out, pullback = forward(*(_array(jax, x) for x in qkv))
        ctx.pulled = lambda grad: backward(pullback, _array(jax, grad))
        return _tensor(out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *map(_tensor, ctx.pulled(grad))


def _array(jax: Any, x: Tensor) -> Any:
    """The tensor as a JAX array, without a copy where its elements are stored without gaps."""
    dense = x if x.transpose(1, 2).is_contiguous() else x.contiguous()
    return jax.dlpack.from_dlpack(dense.detach())


def _tensor(array: Any) -> Tensor:
    """The array as a tensor, without a copy, when it is computed: JAX returns before that."""
    return torch.from_dlpack(array.block_until_ready())
