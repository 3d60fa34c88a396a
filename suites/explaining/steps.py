"""Explanations as data: numbers only; reports say them in words."""

from __future__ import annotations

from suites.records.codec import Count, ProblemText, message

Row = tuple[float, ...]


@message
class BlockStep:
    """One block of keys in the online softmax.

    scores       of its keys; -inf for a hidden one
    largest      of these scores; -inf where all are hidden, and the block is skipped
    maximum      the running maximum after the block
    factor       rescales the sum and the output so far; 0 before the first block that is read
    sum          the running sum of exponentials after the block
    output       the running output after the block, not yet divided by the sum
    weights      the softmax over the keys read so far
    """

    first: Count
    end: Count
    scores: Row
    largest: float
    maximum: float
    factor: float
    sum: float
    output: Row
    weights: Row


@message
class OnlineSoftmax:
    """The online softmax of one query, block by block.

    sum         the last running sum, with that of the sink
    output      the last running output over the sum
    plain       the output by the softmax over all keys at once
    difference  the largest between the two
    """

    problem: ProblemText
    query: Count
    block: Count
    steps: tuple[BlockStep, ...]
    sink: float | None
    sum: float
    output: Row
    plain: Row
    difference: float


@message
class DenseSoftmax:
    """Attention with the whole matrix of scores, [queries][keys], for one head.

    scores   after softcap and bias, of every pair, also of hidden ones
    weights  0 for hidden keys
    visible  the keys that each query sees, as first and end
    output   [queries][columns]
    """

    problem: ProblemText
    query: Count
    scores: tuple[Row, ...]
    weights: tuple[Row, ...]
    visible: tuple[tuple[int, int], ...]
    output: tuple[Row, ...]


@message
class Strips:
    """The scores that a sliding window computes.

    block    queries of a block
    reach    keys before a query and after it, at most, that it sees
    strips   the keys of each block of queries, as first and end
    visible  the keys that each query sees, as first and end
    """

    problem: ProblemText
    block: Count
    reach: tuple[int, int]
    strips: tuple[tuple[int, int], ...]
    visible: tuple[tuple[int, int], ...]


@message
class LayerStep:
    """One step of a layer: what it computes, the shape of its result, weights and FLOPs."""

    name: str
    formula: str
    shape: tuple[int, ...]
    parameters: Count = 0
    flops: Count = 0


@message
class Layer:
    """Multi-head attention as a layer, from activations to activations."""

    problem: ProblemText
    steps: tuple[LayerStep, ...]
