"""The positions that each rank of a group holds when a sequence is divided among processes.

A rank is one process of a group. A function of a group gets the rows of its rank alone.
"""

from __future__ import annotations

from typing import Final

GROUP: Final = "group"
"""A parameter of this name makes a function one of a group: it gets a torch.distributed process
group and the parts of its own rank."""
SHARDS: Final = ("contiguous", "zigzag")
"""Ways to divide a sequence. Of 2 * N equal chunks, zigzag gives rank r the chunks r and
2 * N - 1 - r: with a causal mask every rank then has the same number of visible pairs."""


def positions_of(length: int, ranks: int, shards: str) -> tuple[tuple[range, ...], ...]:
    """The positions of each rank, in the order in which it holds them: one or two ranges a rank.

    length  of the whole sequence
    ranks   processes of the group, N
    shards  contiguous or zigzag

    Raises ValueError for a length that does not divide.
    """
    parts = ranks * chunks_of_a_rank(shards)
    if length % parts:
        raise ValueError(f"length {length} does not divide into {parts} chunks, one or two a rank")
    size = length // parts
    chunks = [range(start, start + size) for start in range(0, length, size)]
    if shards == "contiguous":
        return tuple((chunk,) for chunk in chunks)
    return tuple((chunks[rank], chunks[parts - 1 - rank]) for rank in range(ranks))


def chunks_of_a_rank(shards: str) -> int:
    """Chunks that each rank holds. Raises ValueError for another word than those of SHARDS."""
    if shards not in SHARDS:
        raise ValueError(f"shards {shards!r}; expected one of {', '.join(SHARDS)}")
    return 1 if shards == "contiguous" else 2
