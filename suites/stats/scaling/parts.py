"""The part of a problem that one rank of a group holds, and the bytes that it sends.

The N ranks of a problem form N / U rings, each over groups of U ranks. Within a group, an
all-to-all gives each rank the tokens of all U for 1 / U of the heads (Ulysses, arXiv 2309.14509).
Keys and values then pass round the N / U ranks of a ring (arXiv 2310.01889). U = 1 is ring
attention, U = N is Ulysses, and another U is both together (arXiv 2405.07719).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from impls.interface import CAUSAL, FULL, Problem
from impls.interface.problem import DTYPE_BYTES
from impls.interface.ranks import positions_of


@dataclass(frozen=True, kw_only=True)
class Part:
    """Bytes of one rank's tensors, [B, H, T/N, D] each.

    problem  the whole problem; `ranks` is N. Tq = Tk, full or causal
    ulysses  ranks of an all-to-all, U

    Raises ValueError for another mask or other lengths, for U that does not divide N, and for heads
    that do not divide by U.
    """

    problem: Problem
    ulysses: int = 1

    def __post_init__(self) -> None:
        problem, ranks = self.problem, self.problem.ranks
        if problem.mask not in (FULL, CAUSAL) or problem.query_length != problem.key_length:
            raise ValueError(f"{problem}: expected full or causal, and as many queries as keys")
        if self.ulysses < 1 or ranks % self.ulysses:
            raise ValueError(f"groups of {self.ulysses} ranks do not divide {ranks} ranks")
        if problem.key_heads % self.ulysses:
            raise ValueError(
                f"{problem.key_heads} key heads do not divide by {self.ulysses} ranks; "
                "each rank of an all-to-all needs whole heads"
            )

    @property
    def ring(self) -> int:
        """Ranks of a ring, R = N / U."""
        return self.problem.ranks // self.ulysses

    @property
    def tokens(self) -> int:
        """Tokens of a rank, T / N."""
        return self.problem.query_length // self.problem.ranks

    @cached_property
    def queries(self) -> int:
        """Bytes of q; its gradient is as large."""
        return self._bytes(self.problem.query_heads, self.problem.head_dim)

    @cached_property
    def block(self) -> int:
        """Bytes of k and v together: of this rank, and of a block that passes round a ring."""
        return self._bytes(self.problem.key_heads, self.problem.head_dim + self.problem.value_size)

    @cached_property
    def out(self) -> int:
        """Bytes of the output; its gradient is as large."""
        return self._bytes(self.problem.query_heads, self.problem.value_size)

    @cached_property
    def log_sums(self) -> int:
        """Bytes of the log-sum-exp of each query and head."""
        rows = self.problem.batch * self.problem.query_heads * self.tokens
        return rows * sum_bytes(self.problem)

    def summed(self, size: int) -> int:
        """Bytes of a tensor of `size` bytes in the dtype of its sums."""
        return size // DTYPE_BYTES[self.problem.dtype] * sum_bytes(self.problem)

    def _bytes(self, heads: int, columns: int) -> int:
        elements = self.problem.batch * heads * self.tokens * columns
        return elements * DTYPE_BYTES[self.problem.dtype]


def sum_bytes(problem: Problem) -> int:
    """Bytes of an element of a sum: float32, or float64 for float64."""
    return max(4, DTYPE_BYTES[problem.dtype])


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that one rank sends to others.

    exchanged  by all-to-alls within its group
    passed     to the next rank of its ring
    """

    exchanged: int
    passed: int

    def __add__(self, other: Sent) -> Sent:
        """The sum of two passes."""
        return Sent(self.exchanged + other.exchanged, self.passed + other.passed)

    @property
    def total(self) -> int:
        """All bytes that it sends."""
        return self.exchanged + self.passed


def sent_forward(problem: Problem, ulysses: int = 1) -> Sent:
    """Bytes that a rank sends in the forward pass: q, k, v and out exchanged, k and v passed."""
    part = Part(problem=problem, ulysses=ulysses)
    return Sent(_exchanged(part), (part.ring - 1) * part.block)


def sent_backward(problem: Problem, ulysses: int = 1) -> Sent:
    """Bytes that a rank sends in the backward pass: dout, dq, dk and dv exchanged, k and v passed.

    Gradients of k and v pass round as well, in the dtype of their sums. They start at the next rank
    and need N / U - 1 transfers, as k and v do.
    """
    part = Part(problem=problem, ulysses=ulysses)
    return Sent(_exchanged(part), (part.ring - 1) * (part.block + part.summed(part.block)))


def sent(problem: Problem, ulysses: int = 1) -> Sent:
    """Bytes that a rank sends in a call: forward, and backward in training."""
    forward = sent_forward(problem, ulysses)
    return forward + sent_backward(problem, ulysses) if problem.training else forward


def _exchanged(part: Part) -> int:
    """A rank keeps 1 / U of its tensors and sends the rest."""
    whole = part.queries + part.block + part.out
    return whole * (part.ulysses - 1) // part.ulysses


def pass_flops(problem: Problem, *, backward: bool) -> int:
    """FLOPs of the forward or the backward pass, as `Problem.flops` counts them."""
    wide, narrow = (3, 2) if backward else (1, 1)
    columns = wide * problem.head_dim + narrow * problem.value_size
    return 2 * pairs(problem) * problem.query_heads * columns


def pairs(problem: Problem) -> int:
    """Visible pairs of a full or causal mask: `Problem.visible_pairs` without a walk over T."""
    queries, keys = problem.query_length, problem.key_length
    return problem.batch * (queries * keys if problem.mask == FULL else keys * (keys + 1) // 2)


def redundant_share(ranks: int, shards: str) -> float:
    """Share of the keys passed round a causal ring that the receiving rank's queries do not see.

    1/2 with contiguous parts and 1/4 with zig-zag parts, for any number of ranks.
    """
    places = [list(chain(*each)) for each in positions_of(2 * ranks, ranks, shards)]
    seen = [
        max(queries) >= key
        for keys in places
        for queries in places
        if queries is not keys
        for key in keys
    ]
    return 1 - sum(seen) / len(seen)
