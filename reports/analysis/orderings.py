"""Orderings of peers that are known from other measurements, tested on the times of a run.

A new ordering is an entry of ORDERINGS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import Paired, paired, twins_of

SEVERAL: Final = 2
"""From this factor on, a row is several times faster."""
LONG: Final = 1024
"""Keys from which on the orderings of full attention are known: shorter calls are overhead."""
NARROW: Final = 8
"""A window of one key in so many, or fewer, hides most of a dense mask."""
_FREE: Final = (
    *("batch", "query_heads", "key_heads", "query_length", "key_length", "head_dim", "mask"),
)
"""Fields of a problem that an ordering leaves free, or tests by itself."""

Expected = Literal["several times faster", "faster", "equal", "slower"]
State = Literal["yes", "no", "undecided", "does not apply", "not measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """The known ratio of two implementations.

    row, other  the times that are divided: row over other
    applies     whether a problem is one that the ordering is known for
    replaced    whether it is known only where both ran the same kernel
    seen        what the earlier measurement gave, in words
    """

    row: str
    other: str
    expected: Expected
    applies: Callable[[Problem], bool]
    seen: str
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class OrderingRow:
    """An ordering on one problem of a run.

    found    ratio, interval and verdict; None where one has no time
    without  the first of the two without a time; "" for neither
    """

    ordering: Ordering
    problem: Problem
    state: State
    found: Paired | None = None
    without: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the orderings were measured: facts of the machine as a run records them."""

    torch: str = "2.13"
    cpu_capability: str = "AVX512"
    threads: int = 2


ORIGIN: Final = Origin()


def _is_usual(problem: Problem) -> bool:
    """Whether it is forward in float32 on a CPU, with as many queries as keys, and no feature."""
    usual = Problem().fields()
    found = {name: value for name, value in problem.fields().items() if name not in _FREE}
    square = problem.query_length == problem.key_length
    ungrouped = problem.query_heads == problem.key_heads
    return square and ungrouped and all(usual[name] == value for name, value in found.items())


def _long(problem: Problem) -> bool:
    return _is_usual(problem) and problem.mask.is_full and problem.key_length >= LONG


def _window(problem: Problem) -> bool:
    return _is_usual(problem) and problem.mask.kind == "window"


def _narrow(problem: Problem) -> bool:
    left = problem.mask.left
    return _window(problem) and left is not None and left * NARROW <= problem.key_length


ORDERINGS: Final = (
    Ordering(
        row="flex",
        other="sdpa_flash",
        expected="several times faster",
        applies=_narrow,
        seen="0.48 at 1024 keys and 0.16 at 4096, window:256, of SDPA without a mask",
    ),
    Ordering(
        row="flex",
        other="sdpa_flash",
        expected="slower",
        applies=_long,
        seen="1.40 at 1024 keys, 2.14 at 4096",
    ),
    Ordering(
        row="onnxruntime",
        other="sdpa_flash",
        expected="faster",
        applies=_long,
        seen="0.70 at 1024 keys, 0.93 at 4096",
    ),
    Ordering(
        row="openvino",
        other="sdpa_flash",
        expected="faster",
        applies=_long,
        seen="0.75 at 1024 keys, 0.82 at 4096",
    ),
    Ordering(
        row="compiled",
        other="sdpa_flash",
        expected="equal",
        applies=_long,
        seen="0.91 at 1024 keys",
        replaced=True,
    ),
    Ordering(
        row="local_attention",
        other="local_window",
        expected="slower",
        applies=_window,
        seen="1.8 of causal SDPA at 4096 keys, window:256",
    ),
)
"""Measured beside torch 2.13.0 on two cores of an AMD EPYC with AVX-512, on a busy machine: orders
of magnitude. docs/peers.md says what each peer runs."""


def ordering_rows(analysis: Analysis) -> list[OrderingRow]:
    """Every ordering on every problem of the plan that it is known for; empty without its two.

    Empty for a check, which takes no times.
    """
    if not analysis.plan.sessions:
        return []
    return [each for ordering in ORDERINGS for each in _on_problems(analysis, ordering)]


def _on_problems(analysis: Analysis, ordering: Ordering) -> Iterator[OrderingRow]:
    planned = {entry.name for entry in analysis.plan.entries}
    if not {ordering.row, ordering.other} <= planned:
        return
    for problem in filter(ordering.applies, analysis.plan.problems):
        yield _on(analysis, ordering, problem)


def _on(analysis: Analysis, ordering: Ordering, problem: Problem) -> OrderingRow:
    timed = analysis.timed.get((problem, analysis.most_threads), {})
    for name in (ordering.row, ordering.other):
        if name not in timed:
            return OrderingRow(ordering, problem, "not measured", without=name)
    row, other = timed[ordering.row], timed[ordering.other]
    found = paired(other, row, twins_of(timed), analysis.plan)
    applies = not ordering.replaced or _same_kernel(analysis, ordering, problem)
    state = _state(ordering.expected, found) if applies else "does not apply"
    return OrderingRow(ordering, problem, state, found)


def _state(expected: Expected, found: Paired) -> State:
    """Whether the interval lies where it is expected, outside of that, or neither."""
    if found.low is None or found.high is None or found.withheld:
        return "undecided"
    if expected == "several times faster":
        if found.low > 1 / SEVERAL:
            return "no"
        return "yes" if found.high <= 1 / SEVERAL else "undecided"
    if found.verdict not in ("faster", "slower", "same"):
        return "undecided"
    return "yes" if found.verdict == {"equal": "same"}.get(expected, expected) else "no"


def _same_kernel(analysis: Analysis, ordering: Ordering, problem: Problem) -> bool:
    """Whether both ran the same kernel of a library."""
    ran = [
        analysis.same_kernels.get((problem, name), name) for name in (ordering.row, ordering.other)
    ]
    return ran[0] == ran[1]
