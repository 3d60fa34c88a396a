"""Calls of functions of other forms, as functions of q, k and v, each [B, H, T, D]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from impls.interface.signatures import IN_ORDER, Signature

if TYPE_CHECKING:
    from impls.interface.implementation import AttentionFunction
    from impls.interface.problem import Problem


@dataclass(frozen=True, slots=True)
class Layer:
    """The attributes of a layer that attention functions of transformers read from it.

    num_key_value_groups  query heads for each key head
    training              False: no dropout
    """

    num_key_value_groups: int
    is_causal: bool
    scaling: float
    head_dim: int
    training: bool = False


def layer_of(problem: Problem) -> Layer:
    """The layer around the attention of a problem."""
    return Layer(
        num_key_value_groups=problem.query_heads // problem.key_heads,
        is_causal=False,  # the mask is an argument
        scaling=problem.softmax_scale,
        head_dim=problem.head_dim,
    )


def by_position(
    function: Callable[..., Any], signature: Signature, arguments: dict[str, Any]
) -> Callable[..., Any]:
    """A call without keywords: arguments up to the last given one, with defaults between."""
    last = max((signature.names.index(name) for name in arguments), default=-1)
    given = [arguments.get(n, signature.defaults.get(n)) for n in signature.names[: last + 1]]
    return lambda q, k, v: function(q, k, v, *given)


def in_order(call: Callable[..., Any], order: tuple[int, ...]) -> Callable[..., Any]:
    """A function of (q, k, v) that calls one with these three in another order."""
    if order == IN_ORDER:
        return call
    first, second, third = order
    return lambda *qkv: call(qkv[first], qkv[second], qkv[third])


def first_of(call: Callable[..., Any]) -> Callable[..., Any]:
    """The first of several outputs."""
    return lambda q, k, v: call(q, k, v)[0]


def in_layout(call: Callable[..., Any], layout: str) -> AttentionFunction:
    """A function of [B, H, T, D] that calls one of another layout; views, where strides permit."""
    if layout == "bthd":
        return lambda q, k, v: call(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        ).transpose(1, 2)
    if layout == "bhtd-bthd":
        return lambda q, k, v: call(q, k, v).transpose(1, 2)
    if layout == "folded":
        return lambda q, k, v: call(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)).unflatten(
            0, q.shape[:2]
        )
    return call
