"""Bytes of each implementation over lengths: their polynomial, what fits, and what was tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from impls.interface import Problem
from impls.interface.problem import DTYPE_BYTES
from reports.analysis import Analysis
from reports.growth.lines import LENGTH, Line, size
from reports.growth.polynomials import MOST_DEGREE, Piece, Polynomial, pieces, through
from reports.tables import parsed
from suites.records.record import CHECK

FORESEEN: Final = "foreseen"
"""How the reason begins of what the engine did not try."""
TRUSTED: Final = 64
"""How many times the longest length a forecast may lie beyond it, by a polynomial or without.

Six doublings, about as many as lengths are measured over; a term that they do not show, or show as
a thousandth of the bytes, may rule further on, and a polynomial may end where another code begins.
"""
_LONGEST: Final = 1 << 40
"""Nobody asks for more: bytes above any memory there is."""

Bytes = Mapping[tuple[str, str], tuple[int, int | None]]
"""Requested and resident bytes above the inputs, by problem and implementation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How the bytes above the inputs grow on one line.

    pieces    which polynomial holds for which lengths
    exponent  between the two longest lengths, where no polynomial holds there
    problem   the longest that has bytes
    exact     whether the polynomial of the longest lengths is what forecasts are made by
    fits      the longest length whose inputs and bytes fit the memory of the device; None: unknown
    room      that memory, bytes
    ratio     resident over requested bytes at the longest length; None: not measured
    tried     how the forecast stands beside what the run tried, by length
    """

    pieces: tuple[Piece, ...]
    exponent: float | None
    problem: Problem
    exact: bool
    fits: int | None
    room: int | None
    ratio: float | None
    tried: tuple[Tried, ...]

    @property
    def trusted(self) -> int:
        """The length up to which a forecast counts."""
        return TRUSTED * LENGTH.size(self.problem)

    @property
    def is_unchecked(self) -> bool:
        """Whether the forecast is by a polynomial that no further length has checked."""
        return self.exact and self.pieces[-1].is_unchecked


@dataclass(frozen=True, slots=True)
class Tried:
    """A length that is said to be too long.

    forecast   bytes above the inputs
    takes      bytes that are held against the limit: on a CPU those, on another device, whose
               memory holds the inputs too, also the inputs
    limit      bytes: on a CPU what one call may add, by the plan, on another device its memory;
               None: not known
    was_tried  or only foreseen
    """

    length: int
    forecast: int
    takes: int
    limit: int | None
    was_tried: bool

    @property
    def agrees(self) -> bool | None:
        """Whether the forecast is too much as well; None where not tried or without a limit."""
        return self.takes > self.limit if self.was_tried and self.limit is not None else None


def measured(analysis: Analysis) -> Bytes:
    """What the check learnt of each answer that agrees."""
    return {
        (record.problem, record.implementation): (record.peak_bytes, record.resident_bytes)
        for record in analysis.records
        if record.session == CHECK and record.status == "ok" and record.peak_bytes is not None
    }


def memory(line: Line, found: Bytes, analysis: Analysis) -> Memory | None:
    """What is known of a line; None with fewer than two lengths that have bytes."""
    known = [
        (problem, *found[problem, line.implementation])
        for problem in line.problems
        if (problem, line.implementation) in found
    ]
    if len(known) < 2:
        return None
    sizes, peaks = [size(problem) for problem, _, _ in known], [peak for _, peak, _ in known]
    parts = pieces(sizes, peaks)
    last, peak, resident = known[-1]
    problem, exponent = parsed(last), _exponent(sizes, peaks)
    grown = _grown(parts[-1], sizes, peaks, exponent)
    room = room_of(analysis.run.machine, problem.device)
    return Memory(
        pieces=parts,
        exponent=None if parts[-1].polynomial else exponent,
        problem=problem,
        exact=_foretelling(parts[-1]) is not None,
        fits=None if room is None else longest(problem, grown, room),
        room=room,
        ratio=resident / peak if resident is not None and peak else None,
        tried=_tried(line, grown, problem, analysis.plan.memory_limit, room),
    )


def room_of(machine: Mapping[str, Any], device: str) -> int | None:
    """The memory of the machine, or of its first device of another kind, bytes; None: not told."""
    if device == "cpu":
        return machine.get("memory_bytes")
    own = [each for each in machine.get("devices") or () if each.get("device") == device]
    return own[0].get("memory_bytes") if own else None


def inputs(problem: Problem, length: int) -> int:
    """Bytes of q, k and v at a length, and in training of the gradient that is handed in."""
    queries = length if problem.query_length == problem.key_length else problem.query_length
    keys = problem.key_heads * length * (problem.head_dim + problem.value_size)
    handed = problem.value_size if problem.training else 0
    rows = problem.query_heads * queries * (problem.head_dim + handed)
    return problem.batch * (rows + keys) * DTYPE_BYTES[problem.dtype]


def longest(problem: Problem, grown: Callable[[int], float], room: int) -> int:
    """The longest length whose inputs and grown bytes come to no more than there is room for.

    0 when not even one does.
    """
    low, high = 0, _LONGEST
    while high - low > 1:
        middle = (low + high) // 2
        if inputs(problem, middle) + grown(middle) <= room:
            low = middle
        else:
            high = middle
    return low


def _exponent(sizes: list[int], peaks: list[int]) -> float | None:
    """Between the last two; None where one of them takes nothing."""
    if not min(peaks[-2:]):
        return None
    return math.log(peaks[-1] / peaks[-2]) / math.log(sizes[-1] / sizes[-2])


def _foretelling(piece: Piece) -> Polynomial | None:
    """Its polynomial, unless that falls: bytes below 0 are foretold by none."""
    polynomial = piece.polynomial
    return None if polynomial is None or polynomial.falls else polynomial


def _grown(
    piece: Piece, sizes: list[int], peaks: list[int], exponent: float | None
) -> Callable[[int], float]:
    """Bytes at a longer length: by the polynomial, where none holds by the last two lengths.

    Then it is the most of the line through both, the power of their exponent and, with a third
    length, the parabola through three: a workspace of one size hides growth that outgrows it later.
    Bytes that fell are not believed to fall on, nor is a step between close lengths to be a power
    above any that a polynomial may have.
    """
    polynomial = _foretelling(piece)
    if polynomial is not None:
        return lambda length: float(polynomial.at(length))
    slope = max(0.0, (peaks[-1] - peaks[-2]) / (sizes[-1] - sizes[-2]))
    power = min(max(0.0, exponent or 0.0), MOST_DEGREE)
    curve = through((0, 1, 2), sizes[-3:], peaks[-3:]) if len(sizes) > 2 else Polynomial(())

    def about(length: int) -> float:
        line = peaks[-1] + slope * (length - sizes[-1])
        return max(line, peaks[-1] * (length / sizes[-1]) ** power, float(curve.at(length)))

    return about


def _tried(
    line: Line, grown: Callable[[int], float], problem: Problem, allowed: int, room: int | None
) -> tuple[Tried, ...]:
    """Every length that ran out; what one call is allowed is held to on a CPU only."""
    on_cpu = problem.device == "cpu"
    found = []
    for row in line.lacking:
        if row["status"] != "out_of_memory":
            continue
        length = size(row["problem"])
        forecast = round(grown(length))
        one = Tried(
            length=length,
            forecast=forecast,
            takes=forecast if on_cpu else forecast + inputs(problem, length),
            limit=allowed if on_cpu else room,
            was_tried=not row["reason"].startswith(FORESEEN),
        )
        found.append(one)
    return tuple(found)
