"""Attention by its definition: the whole matrix of scores, a softmax of each row (1706.03762)."""

from __future__ import annotations

from dataclasses import replace

import torch

from impls.interface import Mask
from suites.explaining.chunked import plain_softmax
from suites.explaining.problem import Explained, numbers
from suites.explaining.steps import DenseSoftmax


def walk(of: Explained, query: int) -> DenseSoftmax:
    """The scores of every pair, the weights and the output.

    query  the row that is followed through
    """
    rows = range(of.problem.query_length)
    unmasked = Explained(replace(of.problem, mask=Mask()), of.inputs)
    weights = torch.stack([plain_softmax(of.scores(row), of.sink) for row in rows])
    return DenseSoftmax(
        problem=of.problem,
        query=query,
        scores=tuple(numbers(unmasked.scores(row)) for row in rows),
        weights=tuple(map(numbers, weights)),
        visible=tuple(map(of.interval, rows)),
        output=tuple(map(numbers, weights @ of.values)),
    )
