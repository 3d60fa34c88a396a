"""Whole tensors in shared files, and the parts of them that each rank holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from impls.interface import Problem
from impls.interface.ranks import positions_of
from suites.engine.ranks.messages import Shared
from suites.measure.inputs import laid_out

LENGTH: int = 2
"""The dimension of [B, H, T, D] that is divided."""


class SharedTensors:
    """Maps the shared tensors of a folder; the last mapping of each file is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mapped: dict[str, tuple[Shared, Tensor]] = {}

    def whole(self, each: Shared) -> Tensor:
        """The tensor; its file is made, or made longer, where it is too short."""
        known = self._mapped.get(each.name)
        if known is not None and known[0] == each:
            return known[1]
        dtype = getattr(torch, each.dtype)
        size = int(torch.Size(each.shape).numel())
        flat = torch.from_file(str(self._folder / each.name), shared=True, size=size, dtype=dtype)
        made = flat.view(each.shape)
        self._mapped[each.name] = (each, made)
        return made

    def written(self, name: str, x: Tensor) -> Shared:
        """Write a tensor to the file of this name."""
        made = Shared(name=name, shape=tuple(x.shape), dtype=str(x.dtype).removeprefix("torch."))
        self.whole(made).copy_(x.detach())
        return made


def part_of(whole: Tensor, ranges: Sequence[range], problem: Problem, device: str) -> Tensor:
    """The rows of one rank as a tensor of its own, on its device, in the problem's layout."""
    rows = torch.cat([whole[:, :, each.start : each.stop] for each in ranges], dim=LENGTH)
    return laid_out(rows, problem).to(device)


def put(whole: Tensor, ranges: Sequence[range], part: Tensor) -> None:
    """Write the rows of one rank into the whole tensor."""
    first = 0
    for each in ranges:
        rows = part[:, :, first : first + len(each)]
        whole[:, :, each.start : each.stop].copy_(rows.detach())
        first += len(each)


def ranges_of(problem: Problem, shards: str) -> tuple[Ranges, Ranges]:
    """The positions of the queries and of the keys, of every rank."""
    return (
        positions_of(problem.query_length, problem.ranks, shards),
        positions_of(problem.key_length, problem.ranks, shards),
    )


Ranges = tuple[tuple[range, ...], ...]
