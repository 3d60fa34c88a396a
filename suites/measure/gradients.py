"""Gradients of a call: by `torch.autograd.grad`, or by `backward()` where a graph refuses that."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

REENTRANT: Final = "CheckpointFunctionBackward"
"""Name of the graph node of `torch.utils.checkpoint(..., use_reentrant=True)`. Its backward runs
another backward, and raises RuntimeError within `torch.autograd.grad`."""
BY_BACKWARD: Final = "gradients by backward()"
"""The note of a record whose gradients were taken by `backward()`."""


@dataclass(slots=True)
class GradientMode:
    """How gradients are taken of one implementation on one problem; its calls share it.

    by_backward  None before the first output, whose graph decides it. Later calls do not search
                 their graphs, since they may be timed
    """

    by_backward: bool | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a record has to state about it."""
        return (BY_BACKWARD,) if self.by_backward else ()

    def gradients(self, out: Tensor, leaves: Sequence[Tensor], grad: Tensor) -> Sequence[Tensor]:
        """The gradient at every leaf; zeros where the output does not depend on it.

        out     the output of a call on the leaves
        leaves  inputs that require gradients and have none
        grad    the gradient of the output
        """
        if self.by_backward is None:
            self.by_backward = has_node(out, REENTRANT)
        if self.by_backward:
            return _by_backward(out, leaves, grad)
        return torch.autograd.grad(out, leaves, grad, materialize_grads=True)


def has_node(out: Tensor, name: str) -> bool:
    """Whether the graph of an output has a node of this name."""
    waiting, seen = [out.grad_fn], set[object]()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name() == name:
            return True
        seen.add(node)
        waiting += [each for each, _ in node.next_functions]
    return False


def _by_backward(out: Tensor, leaves: Sequence[Tensor], grad: Tensor) -> Sequence[Tensor]:
    """Leaves have no gradients before it and after it, so that none are added up."""
    out.backward(grad)  # type: ignore[no-untyped-call] # torch's
    made = [torch.zeros_like(x) if x.grad is None else x.grad for x in leaves]
    for x in leaves:
        x.grad = None
    return made


@functools.cache
def begin_gradients() -> None:
    """Take a first gradient before timing: torch imports 486 modules for it, which takes 0.3 s."""
    x = torch.ones(1, requires_grad=True)
    torch.autograd.grad(2 * x, x, torch.ones(1))
