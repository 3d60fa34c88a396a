"""The problem of an explanation: its first head in float64, with the scores of one query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from suites.measure.inputs import Inputs, make_inputs

MOST_POSITIONS: Final = 256
"""Queries and keys of a problem that is explained: more steps are not read."""

SEED: Final = 27
"""Of the inputs: in the usual problem of `chunked`, every block raises the maximum."""


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """The first batch row and the first head of a problem, in float64 on the CPU.

    problem  forward, in float64
    inputs   seeded: equal on every machine
    """

    problem: Problem
    inputs: Inputs

    def scores(self, query: int) -> Tensor:
        """The scores of a query after softcap, bias and mask, [Tk]; -inf for a hidden key."""
        problem, inputs = self.problem, self.inputs
        products = problem.softmax_scale * (inputs.k[0, 0] @ inputs.q[0, 0, query])
        if problem.softcap is not None:
            products = problem.softcap * torch.tanh(products / problem.softcap)
        if inputs.bias is not None:
            keys = torch.arange(problem.key_length)
            products = products + inputs.bias.of_pairs(self.position(query), keys)[0].double()
        start, end = self.interval(query)
        hidden = torch.ones(problem.key_length, dtype=torch.bool)
        hidden[start:end] = False
        return products.masked_fill(hidden, float("-inf"))

    def position(self, query: int) -> int:
        """The position of a query among the keys: the last query is at the last key."""
        return query + self.problem.key_length - self.problem.query_length

    def interval(self, query: int) -> tuple[int, int]:
        """The keys that a query sees, first and end."""
        mask = self.problem.mask.resolved(self.problem.batch, self.problem.key_length)
        return mask.interval(0, self.position(query), self.problem.key_length)

    @property
    def values(self) -> Tensor:
        """[Tk, Dv]."""
        return self.inputs.v[0, 0]

    @property
    def sink(self) -> float | None:
        """The sink's logit; None without one."""
        return None if self.inputs.sink is None else float(self.inputs.sink[0])


def explained(problem: Problem) -> Explained:
    """The problem with its inputs.

    Raises ValueError for training, within a model, and for too many positions.
    """
    if problem.model:
        raise ValueError(f"explain walks through one call; leave out model:{problem.model}")
    if problem.training:
        raise ValueError(f"{problem} is in training; an explanation is of a forward pass")
    longest = max(problem.query_length, problem.key_length)
    if longest > MOST_POSITIONS:
        raise ValueError(
            f"{problem} has {longest} positions, and every step is shown; expected at most "
            f"{MOST_POSITIONS}"
        )
    wide = replace(problem, dtype="float64", device="cpu", layout="bhtd")
    return Explained(wide, make_inputs(wide, purpose="explain", seed=SEED))


def numbers(x: Tensor) -> tuple[float, ...]:
    """A vector as plain numbers."""
    return tuple(x.tolist())


def blocks(length: int, block: int) -> Iterator[tuple[int, int]]:
    """Blocks of so many positions as first and end; the last one may be shorter."""
    return ((first, min(first + block, length)) for first in range(0, length, block))
