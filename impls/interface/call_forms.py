"""Calls of functions of other forms, as functions of q, k and v, each [B, H, T, D]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from impls.interface.signatures import IN_ORDER, Signature

if TYPE_CHECKING:
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


def in_layout(call: Callable[..., Any], layout: str) -> Callable[..., Any]:
    """A function of [B, H, T, D] that calls one of another layout; views, where strides permit.

    An output that is no tensor is returned as it is: the caller refuses it by its type.
    """
    if layout == "bhtd":
        return call
    if layout == "bthd":
        return lambda q, k, v: _transposed(call(*(x.transpose(1, 2) for x in (q, k, v))))
    if layout == "bhtd-bthd":
        return lambda q, k, v: _transposed(call(q, k, v))
    return lambda q, k, v: _unfolded(call(*(x.flatten(0, 1) for x in (q, k, v))), q.shape[:2])


def _transposed(out: Any) -> Any:
    return out.transpose(1, 2) if hasattr(out, "transpose") else out


def _unfolded(out: Any, sizes: tuple[int, ...]) -> Any:
    return out.unflatten(0, sizes) if hasattr(out, "unflatten") else out


def move(function: Callable[..., Any], device: str) -> None:
    """Move the buffers of a torch module, such as a mask, to a device."""
    if any(True for _ in getattr(function, "buffers", tuple)()):
        function.to(device)  # type: ignore[attr-defined] # a module has it
