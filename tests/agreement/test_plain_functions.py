"""Right functions that do only what their problem needs are accepted on it; wrong ones are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Implementation, Mask, Problem
from impls.interface.implementation import from_function
from impls.reference import attention
from suites.agreement.checker import Checker


def plain(function: Callable[..., Tensor]) -> Implementation:
    """The implementation of a callable that has neither a mask nor a scale."""
    made = from_function(function)
    assert made.fixed == {"mask", "scale"}
    assert not made.states_limits
    return made


def fault_of(each: Implementation, text: str) -> str:
    return Checker(Problem.parse(text), seed=7).check(each).fault


def sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v)


def sdpa_causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def dense(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    return attention(q, k, v, mask=mask, scale=q.shape[-1] ** -0.5)


def sliding_chunks(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    """Windows whose two sides are equally far."""
    if mask.left is None or mask.right != mask.left - 1:
        raise ValueError(f"mask {mask}: expected a symmetric window")
    return dense(q, k, v, mask)


def multiples_of_64(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    assert q.shape[2] % 64 == 0
    return sdpa(q, k, v)


def own_window(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """It has its window written down."""
    return dense(q, k, v, Mask(left=33, right=0))


def eight_heads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """It has one number for each of eight heads."""
    return sdpa(q * torch.ones(8, 1, 1), k, v)


def one_size_alone(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if q.shape != (1, 4, 96, 32):
        raise RuntimeError("compiled for one shape")
    return sdpa(q, k, v)


def decodes(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    if q.shape[2] > k.shape[2]:
        raise RuntimeError("more queries than keys")
    return dense(q, k, v, mask)


def reads_views_by_view(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """It raises an exception for tensors that are not contiguous."""
    b, h, t, d = q.shape
    q, k, v = (x.view(b * h, -1, d) for x in (q, k, v))
    return sdpa(q, k, v).view(b, h, t, d)


RIGHT = (
    (plain(sdpa), "b1 h8 t256 d64"),
    (plain(sdpa), "b1 h8 t128 d64 train bf16"),
    (plain(sdpa_causal), "b1 h8 t1024 d64 causal"),
    (plain(sdpa_causal), "b2 h3 t77 d64 causal train"),
    (from_function(sliding_chunks), "b1 h4 t300 d32 window:33:32"),
    (plain(multiples_of_64), "b1 h8 t256 d64"),
    (plain(own_window), "b1 h4 t200 d32 window:33"),
    (plain(eight_heads), "b1 h8 t128 d64 train"),
    (plain(one_size_alone), "b1 h4 t96 d32 train"),
    (from_function(decodes), "b1 h8 t1/256 d64 causal"),
    (from_function(decodes), "b1 h8 t33/256 d64 causal"),
    (plain(reads_views_by_view), "b1 h4 t64 d32 train"),
)


@pytest.mark.parametrize(("each", "text"), RIGHT, ids=str)
def test_a_function_that_is_right_on_the_features_of_its_problem_is_accepted(
    each: Implementation, text: str
) -> None:
    assert fault_of(each, text) == ""


def no_maximum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A softmax without its maximum, for lengths in blocks of 256."""
    assert q.shape[2] % 256 == 0
    weights = torch.exp(q @ k.mT / q.shape[3] ** 0.5)
    return weights / weights.sum(-1, keepdim=True) @ v


def no_maximum_of_one_size(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    assert q.shape == (1, 4, 96, 32)
    weights = torch.exp(q @ k.mT / q.shape[3] ** 0.5)
    return weights / weights.sum(-1, keepdim=True) @ v


@pytest.mark.parametrize(
    ("function", "text"),
    [(no_maximum, "b1 h4 t512 d64"), (no_maximum_of_one_size, "b1 h4 t96 d32")],
)
def test_an_exception_at_small_sizes_does_not_skip_a_hard_input(
    function: Callable[..., Tensor], text: str
) -> None:
    assert "one dominant key" in fault_of(plain(function), text)


def test_sizes_that_were_needed_are_tried_first() -> None:
    lengths: list[int] = []

    def counts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        lengths.append(q.shape[2])
        return multiples_of_64(q, k, v)

    assert fault_of(plain(counts), "b1 h8 t256 d64") == ""
    assert sum(length % 64 > 0 for length in lengths) <= 4


def refuses_a_single_query(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    assert q.shape[2] > 1
    out = sdpa(q, k, v)
    return out * (1.01 if q.shape[2] % 2 else 1.0)


def test_one_exception_does_not_change_the_sizes_of_all_that_follow() -> None:
    assert "(lengths 7: " in fault_of(plain(refuses_a_single_query), "b1 h4 t64 d64")


def raises_within_stated_limits(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return multiples_of_64(q, k, v)


def test_an_exception_within_stated_limits_is_raised_with_its_place() -> None:
    each = replace(plain(raises_within_stated_limits), states_limits=True)
    with pytest.raises(AssertionError) as raised:
        fault_of(each, "b1 h8 t256 d64")
    assert raised.value.__notes__[0].startswith("on a hard input (lengths 1: b2 h2 t1 d64 full")


def refuses_large_numbers(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if float(v.abs().max()) > 50:
        raise RuntimeError("too large a value")
    return sdpa(q, k, v)


def test_an_exception_at_every_size_is_raised_with_the_problem_s_own() -> None:
    with pytest.raises(RuntimeError, match="too large a value") as raised:
        fault_of(plain(refuses_large_numbers), "b1 h4 t96 d32")
    assert raised.value.__notes__[-1].startswith("on a hard input (outliers: b1 h4 t96 d32")
