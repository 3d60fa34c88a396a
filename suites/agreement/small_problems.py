"""Small problems with the features of a large one, at sizes that an implementation takes.

The features are the mask family, the relation of Tq to Tk, the size of a group of heads, and all
other fields. Batch, heads and lengths become small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import lcm
from typing import Any, Final

import torch

from impls.interface import Implementation, Limits, Mask, Problem
from suites.agreement.small_rows import relation_of, small_rows, with_rows

REUSED: Final = 65
"""Keys of the hard inputs that are written, one after the other, into the same memory."""
BASE: Final = {"equal": REUSED, "one query": 1, "fewer": 33, "more": 97}
"""Queries over these keys, by the relation of Tq to Tk."""
DOCUMENT: Final = 21
"""Length of a document in a small problem."""
NEAR, FAR = 5, 16
"""Largest reaches of a small window, on its shorter and its longer side."""
PADDING: Final = (0.5, 0.25, 0.1, 0.03)
"""Fractions of padding to try: the first one that leaves every query a key, where that counts."""
LARGEST_GROUP: Final = 8
"""Query heads of one key head, at most."""
MULTIPLES: Final = (8, 64, 256)
"""Lengths to try after an exception: multiples of a vector, a block, a large block."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How the sizes of small problems are chosen.

    multiple       lengths are multiples of this, except for a single query
    head_multiple  heads are multiples of this
    own_heads      batch and heads are the problem's own
    own            all sizes and the mask are the problem's own
    keeps_mask     the reaches of the mask are the problem's own: the callable takes no mask
    """

    multiple: int = 1
    head_multiple: int = 1
    own_heads: bool = False
    own: bool = False
    keeps_mask: bool = False


def sizes_of(problem: Problem, implementation: Implementation) -> tuple[Sizes, ...]:
    """The sizes to try, one after the other: the next ones where a call raises an exception.

    Stated limits leave no doubt about sizes: there is one entry, within these.
    """
    lengths, heads = _multiples(problem, implementation)
    first = Sizes(lengths, heads, keeps_mask="mask" in implementation.fixed)
    if implementation.states_limits:
        return (first,)
    longer = [replace(first, multiple=lcm(lengths, each)) for each in MULTIPLES]
    own_heads = [replace(each, own_heads=True) for each in (first, longer[-1])]
    return (first, *longer, *own_heads, replace(first, own=True))


def kind_of(problem: Problem, implementation: Implementation | None = None) -> Problem:
    """A small problem that is equal for all problems with the same features.

    implementation  whose limits it has to respect; None: none
    """
    sizes = Sizes() if implementation is None else sizes_of(problem, implementation)[0]
    return SmallProblems(problem, sizes).base


@dataclass(frozen=True)
class SmallProblems:
    """The small problems of one problem at certain sizes."""

    problem: Problem
    sizes: Sizes = Sizes()

    @property
    def relation(self) -> str:
        """How many queries there are beside the keys: a key of BASE."""
        return relation_of(self.problem.query_length, self.problem.key_length)

    @cached_property
    def base(self) -> Problem:
        """The small problem of most hard inputs: about 65 keys, batch 2."""
        return self.of(BASE[self.relation], REUSED) or self.problem

    def of(self, queries: int, keys: int, **others: Any) -> Problem | None:
        """The small problem of about these lengths; None where no mask fits.

        others  fields of the small problem; without effect on the problem's own sizes

        A problem whose queries all see a key gets no small problem with a query that sees none.
        """
        if self.sizes.own or self._mask_fits_own_sizes_only:
            return self.problem
        if self.problem.mask.rows is not None:
            return self._of_rows(keys, others)
        queries, keys = self._lengths(queries, keys)
        sizes = {"query_length": queries, "key_length": keys, **self._heads, **others}
        if self.sizes.own_heads:
            sizes |= self._heads
        for mask in self._masks(keys, sizes["batch"]):
            small = replace(self.problem, mask=mask, **sizes)
            if self.problem.has_keyless_rows or not small.has_keyless_rows:
                return small
        return None

    def _of_rows(self, keys: int, others: dict[str, Any]) -> Problem | None:
        """The same for a packed batch: `keys` of all rows together, in one batch row."""
        left, right = _small_band(self.problem.mask)
        rows = small_rows(self.problem.mask, keys, self.sizes.multiple)
        made = replace(self.problem, **self._heads | others | {"batch": self.problem.batch})
        small = with_rows(made, rows, Mask(left=left, right=right))
        blind = small.has_keyless_rows and not self.problem.has_keyless_rows
        return None if blind else small

    @property
    def odd_heads(self) -> dict[str, int]:
        """Fields of one batch row with an odd number of key heads."""
        heads = self._heads
        group = heads["query_heads"] // heads["key_heads"]
        odd = 3 if heads["key_heads"] == 2 else heads["key_heads"]
        return {"batch": 1, "query_heads": group * odd, "key_heads": odd}

    @property
    def _heads(self) -> dict[str, int]:
        own = self.problem
        if self.sizes.own_heads:
            return {n: getattr(own, n) for n in ("batch", "query_heads", "key_heads")}
        group = own.query_heads // own.key_heads
        keys = 1 if own.key_heads == 1 and group > 1 else 2
        if own.key_heads > 1 and own.key_heads % 2:
            keys = 3
        keys = _rounded_up(keys, self.sizes.head_multiple)
        small = group if group <= LARGEST_GROUP else LARGEST_GROUP - group % 2
        return {"batch": 2, "query_heads": keys * small, "key_heads": keys}

    @property
    def _mask_fits_own_sizes_only(self) -> bool:
        mask = self.problem.mask
        return self.sizes.keeps_mask and (
            mask.packed_lengths is not None or isinstance(mask.padding, tuple)
        )

    def _lengths(self, queries: int, keys: int) -> tuple[int, int]:
        """Both lengths as multiples, in the same relation, so long that a kept mask hides keys."""
        more, multiple = self._more(keys), lcm(self.sizes.multiple, self._of_ranks)
        keys = _rounded_up(keys + more, multiple)
        if self.relation == "one query":
            return 1, keys
        if self.relation == "equal":
            return keys, keys
        queries = _rounded_up(queries + more, multiple)
        if self.relation == "fewer":
            return queries, max(keys, queries + multiple)
        return max(queries, keys + multiple), keys

    @property
    def _of_ranks(self) -> int:
        """Lengths of a group are multiples of this: each rank may hold two chunks."""
        return 1 if self.problem.ranks == 1 else 2 * self.problem.ranks

    def _more(self, keys: int) -> int:
        """By how much lengths grow for a mask that keeps its reaches."""
        mask = self.problem.mask
        if not self.sizes.keeps_mask:
            return 0
        reach = max(mask.left or 0, mask.right or 0)
        return max(0, min(reach - FAR, self.problem.key_length - keys))

    def _masks(self, keys: int, batch: int) -> Iterator[Mask]:
        """Masks of the same family that hide some keys at this length, the preferred one first."""
        mask = self.problem.mask
        if self.sizes.keeps_mask:
            yield mask
            return
        left, right = _small_band(mask)
        paddings: list[Any] = [None]
        if mask.padding is not None:
            paddings = [*PADDING, *(_padded_on_the_right(f, keys, batch) for f in PADDING)]
        for padding, documents in product(paddings, _documents(mask, keys)):
            yield Mask(left=left, right=right, padding=padding, documents=documents)


def _multiples(problem: Problem, implementation: Implementation) -> tuple[int, int]:
    """Multiples of lengths and of heads that the limits require, those of `inner` included."""
    limits = _limits_for(problem, implementation)
    of_ranks = problem.ranks if limits.heads_divide_by_ranks else 1
    lengths, heads = limits.length_multiple, lcm(limits.head_multiple, of_ranks)
    if implementation.inner is None:
        return lengths, heads
    inner = _multiples(problem, implementation.inner)
    return lcm(lengths, inner[0]), lcm(heads, inner[1])


def _limits_for(problem: Problem, implementation: Implementation) -> Limits:
    """The first limits that accept the problem."""
    capability = capability_for(problem)
    fitting = (each for each in implementation.limits if not each.refusals(problem, capability))
    return next(fitting, Limits())


def capability_for(problem: Problem) -> tuple[int, int] | None:
    """Compute capability of the NVIDIA device that a problem runs on; None for other devices."""
    return torch.cuda.get_device_capability(problem.device) if problem.device == "cuda" else None


def _rounded_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _small_band(mask: Mask) -> tuple[int | None, int | None]:
    """Smaller reaches: causal, symmetric and one-sided windows stay what they are."""
    left, right = mask.left, mask.right
    if left is None or right is None:
        return _at_most(left, FAR), _at_most(right, NEAR)
    if left == right + 1:
        return min(right, NEAR) + 1, min(right, NEAR)
    if left > right:
        return min(left, FAR), min(right, NEAR)
    return min(left, NEAR), min(right, FAR)


def _at_most(reach: int | None, most: int) -> int | None:
    return None if reach is None else min(reach, most)


def _documents(mask: Mask, keys: int) -> Iterator[tuple[int, ...] | None]:
    """Lengths of documents: a short one at the end, or none that is short."""
    if mask.documents is None:
        yield None
        return
    whole, rest = divmod(keys, DOCUMENT)
    yield (*[DOCUMENT] * whole, *([rest] if rest else []))
    yield (*[DOCUMENT] * max(whole - 1, 0), rest + DOCUMENT * min(whole, 1))


def _padded_on_the_right(part: float, keys: int, batch: int) -> tuple[tuple[int, int], ...]:
    """Ranges of the real keys: the first row is padded most, the last one is not."""
    hidden = (round(part * keys * (1 - row / max(batch - 1, 1))) for row in range(batch))
    return tuple((0, keys - each) for each in hidden)
