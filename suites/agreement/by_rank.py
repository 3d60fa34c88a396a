"""The ranks of a group whose rows of an output are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from impls.interface.ranks import positions_of
from suites.agreement.bounds.expected import NAMES, ROWS_OF_QUERIES, Expected
from suites.agreement.gate import RMS_ALLOWED, WORST_ALLOWED


def named(
    made: Sequence[Tensor], expected: Expected, problem: Problem, implementation: Implementation
) -> str:
    """The ranks that are at fault, as text; empty for one process, and where no row is wrong.

    made  of the right form
    """
    if problem.ranks == 1:
        return ""
    wrong = {
        name: _wrong(name, tensor, expected, problem, implementation.division)
        for name, tensor in zip(NAMES, made, strict=False)
    }
    some = {name: each for name, each in wrong.items() if 0 < len(each) < problem.ranks}
    found: dict[str, list[str]] = {}
    for name, each in some.items():
        places = positions_of(_length(name, problem), problem.ranks, implementation.division)
        found.setdefault(_rows(each, places), []).append(name)
    if not some:
        every = [name for name, each in wrong.items() if each]
        return f"{_listed(every)}: wrong in the rows of all {problem.ranks} ranks" if every else ""
    return "; ".join(f"{rows.format(_listed(names))}" for rows, names in found.items())


def _wrong(
    name: str, made: Tensor, expected: Expected, problem: Problem, division: str
) -> list[int]:
    """The ranks whose rows exceed the rounding bound; see `suites.agreement.gate`."""
    error = (expected.compared(name, made) - expected.values[name]).abs()
    bound = expected.bounds[name]
    compared = torch.arange(_length(name, problem))
    if name in ROWS_OF_QUERIES and expected.rows is not None:
        compared = expected.rows.cpu()
    found = []
    for rank, ranges in enumerate(positions_of(_length(name, problem), problem.ranks, division)):
        own = torch.zeros(len(compared), dtype=torch.bool)
        for each in ranges:
            own |= (compared >= each.start) & (compared < each.stop)
        at = own.to(error.device)
        if at.any() and _exceeds(error[:, :, at], bound[:, :, at]):
            found.append(rank)
    return found


def _exceeds(error: Tensor, bound: Tensor) -> bool:
    rms = float(error.square().mean().sqrt()) > RMS_ALLOWED * float(bound.square().mean().sqrt())
    return rms or bool((error > WORST_ALLOWED * bound).any()) or not bool(error.isfinite().all())


def _rows(wrong: Sequence[int], places: Sequence[Sequence[range]]) -> str:
    """The sentence on these ranks, with a place for the names of the tensors."""
    rows = [f"rank {rank}'s rows ({_text(places[rank])})" for rank in wrong]
    others = "rank agree" if len(places) - len(wrong) == 1 else "ranks agree"
    return f"{_listed(rows)} of {{}} are wrong, those of the other {others}"


def _listed(words: Sequence[str]) -> str:
    """`out`, `out and dq`, `out, dq and dk`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _text(ranges: Sequence[range]) -> str:
    """Positions as text: `0 to 63, 192 to 255`."""
    return ", ".join(f"{each.start} to {each.stop - 1}" for each in ranges)


def _length(name: str, problem: Problem) -> int:
    return problem.query_length if name in ROWS_OF_QUERIES else problem.key_length
