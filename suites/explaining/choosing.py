"""The methods with an explanation, and the explanation of one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from impls.interface import Problem

if TYPE_CHECKING:
    from suites.explaining.steps import DenseSoftmax, Layer, OnlineSoftmax, Strips

    Walk = OnlineSoftmax | DenseSoftmax | Strips | Layer

USUAL: Final = {
    "chunked": "b1 h1 t12 d8 causal",
    "naive": "b1 h1 t12 d8 causal",
    "local_window": "b1 h1 t24 d8 window:6",
    "multi_head": "b1 h4/2 t12 d8 causal",
}
"""The methods, each with its problem where none is named."""
BLOCKS: Final = {"chunked": 4, "local_window": 4}
"""The positions of a block, of the methods that have blocks."""
ROWS: Final = ("chunked", "naive")
"""The methods that follow one query."""


def explain(name: str, problem: str | None, block: int | None, query: int | None) -> Walk:
    """The steps of a method on a problem.

    block  positions of a block; None: the usual ones
    query  that is followed; None: the last one

    Raises ValueError for a method without an explanation, and for what does not fit it.
    """
    _expect_known(name, block, query)
    found = Problem.parse(problem or USUAL[name], device="cpu")
    from suites.explaining import chunked, local_window, multi_head, naive  # noqa: PLC0415 - torch
    from suites.explaining.problem import explained  # noqa: PLC0415 - likewise

    of = explained(found)
    row = _row(query, found)
    size = BLOCKS.get(name, 0) if block is None else block
    if name == "chunked":
        return chunked.walk(of, row, size)
    if name == "naive":
        return naive.walk(of, row)
    if name == "local_window":
        return local_window.walk(of, size)
    return multi_head.walk(found)


def _expect_known(name: str, block: int | None, query: int | None) -> None:
    if name not in USUAL:
        near = difflib.get_close_matches(name, USUAL, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no explanation of {name!r}; {hint}expected one of {', '.join(USUAL)}")
    if block is not None and name not in BLOCKS:
        raise ValueError(f"--block {block} beside {name}; only {' and '.join(BLOCKS)} have blocks")
    if query is not None and name not in ROWS:
        raise ValueError(f"--query {query} beside {name}; only {' and '.join(ROWS)} follow a query")


def _row(query: int | None, problem: Problem) -> int:
    if query is None:
        return problem.query_length - 1
    if query >= problem.query_length:
        raise ValueError(
            f"--query is {query}, the problem has queries 0 to {problem.query_length - 1}"
        )
    return query
