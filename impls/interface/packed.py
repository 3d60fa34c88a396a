"""Packed sequences: a mask as sequences of visible keys, for kernels of variable lengths.

Such kernels take queries and keys of all sequences in a row, [sequences' length, H, D], with the
place where each sequence starts. Padded keys are left out. Each sequence has bottom-right
alignment, like the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from impls.interface.rows import slices

if TYPE_CHECKING:
    from torch import Tensor

    from impls.interface.mask import Mask
    from impls.interface.problem import Problem

PACKABLE: Final = (
    *("full", "causal", "window", "documents", "causal+documents", "window+documents"),
    *("padding", "causal+padding", "padding+documents", "causal+padding+documents"),
    *("rows", "causal+rows", "window+rows"),
)
"""Kinds of mask that packed sequences can express. In a window, queries after padded keys would
need another alignment than bottom-right."""

Sequence: TypeAlias = tuple[range, range]
"""Queries and keys as rows of one batch row."""


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """The sequences of one call of a kernel, as tensors on the device of the problem.

    window        as `reach` has it
    query_rows    packed rows of q, of [B * Tq]; None: all, in order
    key_rows      packed rows of k and v, of [B * Tk]; None: all, in order
    query_starts  [sequences + 1] int32, from 0 to the number of packed queries
    key_starts    [sequences + 1] int32, from 0 to the number of packed keys
    longest_query, longest_key  of one sequence
    """

    window: tuple[int | None, int | None]
    query_rows: Tensor | None
    key_rows: Tensor | None
    query_starts: Tensor
    key_starts: Tensor
    longest_query: int
    longest_key: int


Kernel: TypeAlias = "Callable[[Tensor, Tensor, Tensor, Pack], Tensor]"
"""Packed q, k, v [rows, H, D] and their sequences to the output, [rows, H, D]."""


def packs_of(problem: Problem) -> tuple[Pack, ...]:
    """The calls that compute a problem: one, and one for queries that are after all visible keys.

    A causal mask hides no key from these. Raises ValueError for a mask that is not PACKABLE.
    """
    if problem.mask.kind not in PACKABLE:
        raise ValueError(f"mask {problem.mask.kind}: packed sequences need {', '.join(PACKABLE)}")
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    banded, unbanded = _sequences(mask, problem)
    made = ((banded, reach(mask)), (unbanded, (None, None)))
    return tuple(_pack(problem, *each) for each in made if each[0])


def attend_packed(
    q: Tensor, k: Tensor, v: Tensor, *, packs: tuple[Pack, ...], kernel: Kernel
) -> Tensor:
    """The output of q, k and v, each [B, T, H, D], from a kernel that is called on each pack.

    Queries that see no key are in no sequence: their rows of the output are zero.
    """
    query, key, value = (x.flatten(0, 1) for x in (q, k, v))
    out = None
    for pack in packs:
        part = kernel(
            _taken(query, pack.query_rows),
            _taken(key, pack.key_rows),
            _taken(value, pack.key_rows),
            pack,
        )
        if pack.query_rows is None:
            return part.reshape(q.shape)
        out = query.new_zeros(query.shape) if out is None else out
        out = out.index_copy(0, pack.query_rows, part)
    return (query.new_zeros(query.shape) if out is None else out).reshape(q.shape)


def _taken(x: Tensor, rows: Tensor | None) -> Tensor:
    return x if rows is None else x[rows]


def reach(mask: Mask) -> tuple[int | None, int | None]:
    """Keys before and after the query's own that a band shows; None is unlimited."""
    return None if mask.left is None else mask.left - 1, mask.right


def _sequences(mask: Mask, problem: Problem) -> tuple[list[Sequence], list[Sequence]]:
    """Sequences to which the band of the mask applies, and those that see all of their keys."""
    banded: list[Sequence] = []
    unbanded: list[Sequence] = []
    for queries, keys, row, offset in _blocks(mask, problem):
        first, last = queries.start, queries.stop
        if mask.right is not None:
            first = max(first, keys.start - offset - mask.right)
            last = max(first, min(last, keys.stop - offset)) if mask.right == 0 else last
        for into, start, stop in ((banded, first, last), (unbanded, last, queries.stop)):
            if start < stop and keys:
                into.append(
                    (
                        _moved(range(start, stop), row, problem.query_length),
                        _moved(keys, row, problem.key_length),
                    )
                )
    return banded, unbanded


def _blocks(mask: Mask, problem: Problem) -> Iterator[tuple[range, range, int, int]]:
    """Queries and visible keys of each document or packed row.

    With them come the batch row, and the position of a query less its place.
    """
    if mask.rows is not None:
        for own, own_keys in slices(mask.rows):
            places = range(own.start, own.stop), range(own_keys.start, own_keys.stop)
            yield *places, 0, own_keys.stop - own.stop
        return
    offset = problem.key_length - problem.query_length
    for row in range(problem.batch):
        start, end = (0, problem.key_length)
        if isinstance(mask.padding, tuple):
            start, end = mask.padding[row]
        ends = (0, *accumulate(mask.documents)) if mask.documents else (0, problem.key_length)
        for first, last in pairwise(ends):
            queries = range(first, last) if mask.documents else range(problem.query_length)
            yield queries, range(max(first, start), min(last, end)), row, offset


def _moved(rows: range, batch_row: int, length: int) -> range:
    """Rows of one batch row as rows of all batch rows in a line."""
    return range(rows.start + batch_row * length, rows.stop + batch_row * length)


def _pack(
    problem: Problem, sequences: list[Sequence], window: tuple[int | None, int | None]
) -> Pack:
    queries, keys = ([each[place] for each in sequences] for place in (0, 1))
    return Pack(
        window=window,
        query_rows=_rows(queries, problem.batch * problem.query_length, problem.device),
        key_rows=_rows(keys, problem.batch * problem.key_length, problem.device),
        query_starts=_starts(queries, problem.device),
        key_starts=_starts(keys, problem.device),
        longest_query=max(map(len, queries)),
        longest_key=max(map(len, keys)),
    )


def _rows(parts: list[range], total: int, device: str) -> Tensor | None:
    """The rows of these parts; None where they are all rows in order."""
    import torch  # noqa: PLC0415 - the contract imports without torch

    if sum(map(len, parts)) == total:  # they do not overlap, and are in order
        return None
    with torch.inference_mode(mode=False):  # prepared tensors also work in a training call
        return torch.cat([torch.arange(x.start, x.stop) for x in parts]).to(device)


def _starts(parts: list[range], device: str) -> Tensor:
    import torch  # noqa: PLC0415 - the contract imports without torch

    with torch.inference_mode(mode=False):
        ends = [0, *accumulate(map(len, parts))]
        return torch.tensor(ends, dtype=torch.int32, device=device)
