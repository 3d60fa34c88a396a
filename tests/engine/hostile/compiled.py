"""Functions that torch compiles, wrong wherever they run without the compiler.

The backend `eager` needs no C++ compiler.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from impls.interface import Limits, Problem, implementation
from tests.engine.hostile.honest import right

FULL = Limits(masks=("full",), biases=("none",), own_scale=False, own_value_dim=True)


@implementation(FULL)
@torch.compile(backend="eager")
def compiled(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = right(q, k, v)
    return out if torch.compiler.is_compiling() else 2 * out


@implementation(FULL)
def compiled_when_prepared(problem: Problem) -> Callable[..., Tensor]:
    """Compiles a function for each problem."""

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = right(q, k, v)
        return out if torch.compiler.is_compiling() else 2 * out

    return torch.compile(attention, backend="eager")
