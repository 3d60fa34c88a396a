"""Conventions of attention functions that people have: how each of them is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impls.interface.implementation import AttentionFunction
    from impls.interface.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """How a callable of another convention than the contract's is called.

    fixed  which of `mask` and `scale` the callable has no parameter for
    """

    fixed: frozenset[str] = frozenset()

    def prepared(self, function: Callable[..., Any], problem: Problem) -> AttentionFunction:
        """The function of q, k and v for a problem; dense masks are made here."""
        raise NotImplementedError

    def said(self, problem: Problem) -> str:
        """How it is called on a problem, as `called with is_causal=True`."""
        raise NotImplementedError
