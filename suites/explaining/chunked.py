"""The online softmax of one query, block by block (arXiv 1805.02867, 2205.14135).

A softmax over all keys needs the maximum of all scores first. The online softmax reads the keys
once. It keeps a running maximum m, a running sum l and a running output o. When a block raises the
maximum, sum and output so far are multiplied by exp(m_old - m_new). The output is divided by the
sum at the end only.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, inf

import torch
from torch import Tensor

from suites.explaining.problem import Explained, blocks, numbers
from suites.explaining.steps import BlockStep, OnlineSoftmax


def walk(of: Explained, query: int, block: int) -> OnlineSoftmax:
    """The steps of a query, and the same output by a plain softmax."""
    scores, values, sink = of.scores(query), of.values, of.sink
    steps = tuple(_steps(scores, values, block))
    last = steps[-1]
    top = last.maximum if sink is None else max(last.maximum, sink)
    factor = exp(last.maximum - top) if last.maximum > -inf else 0.0
    total = factor * last.sum + (0.0 if sink is None else exp(sink - top))
    out = factor * torch.tensor(last.output, dtype=torch.float64) / (total or 1.0)
    plain = plain_softmax(scores, sink) @ values
    return OnlineSoftmax(
        problem=of.problem,
        query=query,
        block=block,
        steps=steps,
        sink=sink,
        sum=total,
        output=numbers(out),
        plain=numbers(plain),
        difference=float((out - plain).abs().max()),
    )


def _steps(scores: Tensor, values: Tensor, block: int) -> Iterator[BlockStep]:
    """The state after each block. A block without a visible key changes nothing."""
    maximum, total, output = -inf, 0.0, torch.zeros_like(values[0])
    for first, end in blocks(len(scores), block):
        own = scores[first:end]
        largest, factor = float(own.max()), 1.0
        if largest > -inf:
            raised = max(maximum, largest)
            factor = exp(maximum - raised)
            exponentials = torch.exp(own - raised)
            total = factor * total + float(exponentials.sum())
            output = factor * output + exponentials @ values[first:end]
            maximum = raised
        yield BlockStep(
            first=first,
            end=end,
            scores=numbers(own),
            largest=largest,
            maximum=maximum,
            factor=factor,
            sum=total,
            output=numbers(output),
            weights=numbers(torch.exp(scores[:end] - maximum) / total) if total else (0.0,) * end,
        )


def plain_softmax(scores: Tensor, sink: float | None) -> Tensor:
    """The weights over all keys at once; zeros where no key is visible."""
    if not bool((scores > -inf).any()):
        return torch.zeros_like(scores)
    if sink is None:
        return torch.softmax(scores, 0)
    return torch.softmax(torch.cat((scores, scores.new_tensor([sink]))), 0)[:-1]
