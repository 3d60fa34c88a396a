"""Memory over lengths: polynomials of the bytes, the longest length that fits, forecasts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from impls.interface import Problem
from impls.interface.problem import DTYPE_BYTES
from reports.analysis.growth.polynomials import MOST_DEGREE, Piece, Polynomial, pieces, through
from reports.analysis.growth.series import Series
from reports.analysis.run_analysis import Analysis
from reports.rows.families import LENGTH
from suites.records.record import CHECK, Pair

TRUSTED: Final = 64
"""A forecast is capped at this multiple of the longest measured length.

Six doublings, about as many as the lengths that are measured. Beyond, a term of a thousandth of the
measured bytes may dominate, and another kernel may take over.
"""
_LONGEST: Final = 1 << 40
"""The longest length that is considered: its bytes exceed any memory."""

Bytes = Mapping[Pair, tuple[int, int | None]]
"""Requested and resident bytes above the inputs, by problem and implementation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How the bytes above the inputs of one series grow.

    pieces    polynomials, each with the lengths it holds for
    exponent  between the two longest lengths, where no polynomial holds there
    problem   the longest one that has bytes
    exact     whether forecasts use the polynomial of the longest lengths
    fits      the longest length whose inputs and bytes fit the memory of the device; None: unknown
    room      that memory, bytes
    ratio     resident over requested bytes at the longest length; None: not measured
    tried     forecasts of the lengths that ran out of memory
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
        """The length up to which a forecast is shown."""
        return TRUSTED * LENGTH.size(self.problem)

    @property
    def is_unchecked(self) -> bool:
        """Whether the forecast uses a polynomial that no further length has confirmed."""
        return self.exact and self.pieces[-1].is_unchecked


@dataclass(frozen=True, slots=True)
class Tried:
    """A length that ran out of memory.

    forecast   bytes above the inputs
    takes      bytes compared with the limit: on a CPU the forecast; on another device, whose memory
               holds the inputs too, the forecast and the inputs
    limit      bytes: on a CPU the plan's limit of one call, on another device its memory; None:
               unknown
    was_tried  whether it was called; otherwise it was only foreseen
    """

    length: int
    forecast: int
    takes: int
    limit: int | None
    was_tried: bool

    @property
    def agrees(self) -> bool | None:
        """Whether the forecast exceeds the limit as well; None if not tried or without a limit."""
        return self.takes > self.limit if self.was_tried and self.limit is not None else None


def measured(analysis: Analysis) -> Bytes:
    """The bytes that the check measured of each answer that agrees."""
    return {
        record.pair: (record.peak_bytes, record.resident_bytes)
        for record in analysis.records
        if record.session == CHECK and record.status == "ok" and record.peak_bytes is not None
    }


def memory(series: Series, found: Bytes, analysis: Analysis) -> Memory | None:
    """The memory of a series; None with fewer than two lengths that have bytes."""
    name = series.implementation
    problems = [problem for problem in series.problems if (problem, name) in found]
    if len(problems) < 2:
        return None
    sizes, peaks = list(map(LENGTH.size, problems)), [found[each, name][0] for each in problems]
    parts, problem = pieces(sizes, peaks), problems[-1]
    resident, exponent = found[problem, name][1], _exponent(sizes, peaks)
    grown = _grown(parts[-1], sizes, peaks, exponent)
    room = room_of(analysis.run.machine, problem.device)
    return Memory(
        pieces=parts,
        exponent=None if parts[-1].polynomial else exponent,
        problem=problem,
        exact=_predicting(parts[-1]) is not None,
        fits=None if room is None else longest(problem, grown, room),
        room=room,
        ratio=resident / peaks[-1] if resident is not None and peaks[-1] else None,
        tried=_tried(series, grown, problem, analysis.plan.memory_limit_on(problem.device), room),
    )


def room_of(machine: Mapping[str, Any], device: str) -> int | None:
    """Bytes of memory of the machine, or of its first such device; None: not recorded."""
    if device == "cpu":
        return machine.get("memory_bytes")
    own = [each for each in machine.get("devices") or () if each.get("device") == device]
    return own[0].get("memory_bytes") if own else None


def inputs(problem: Problem, length: int) -> int:
    """Bytes of q, k and v at a length; in training also of the gradient of the output."""
    queries = length if problem.query_length == problem.key_length else problem.query_length
    keys = problem.key_heads * length * (problem.head_dim + problem.value_size)
    handed = problem.value_size if problem.training else 0
    rows = problem.query_heads * queries * (problem.head_dim + handed)
    return problem.batch * (rows + keys) * DTYPE_BYTES[problem.dtype]


def longest(problem: Problem, grown: Callable[[int], float], room: int) -> int:
    """The longest length whose inputs and forecast bytes fit the room; 0 when none does."""
    low, high = 0, _LONGEST
    while high - low > 1:
        middle = (low + high) // 2
        if inputs(problem, middle) + grown(middle) <= room:
            low = middle
        else:
            high = middle
    return low


def _exponent(sizes: list[int], peaks: list[int]) -> float | None:
    """Between the last two lengths; None where one of them has 0 bytes."""
    if not min(peaks[-2:]):
        return None
    return math.log(peaks[-1] / peaks[-2]) / math.log(sizes[-1] / sizes[-2])


def _predicting(piece: Piece) -> Polynomial | None:
    """Its polynomial, unless that becomes negative."""
    polynomial = piece.polynomial
    return None if polynomial is None or polynomial.falls else polynomial


def _grown(
    piece: Piece, sizes: list[int], peaks: list[int], exponent: float | None
) -> Callable[[int], float]:
    """Bytes at a longer length: from the polynomial, or extrapolated where none holds.

    The extrapolation is the maximum of a line through the last two lengths, the power of their
    exponent and, with a third length, the parabola through three: a workspace of fixed size may
    hide faster growth. Decreasing bytes are not extrapolated downwards, and the exponent is at most
    the largest degree of a polynomial.
    """
    polynomial = _predicting(piece)
    if polynomial is not None:
        return lambda length: float(polynomial.at(length))
    slope = max(0.0, (peaks[-1] - peaks[-2]) / (sizes[-1] - sizes[-2]))
    power = min(max(0.0, exponent or 0.0), MOST_DEGREE)
    curve = through((0, 1, 2), sizes[-3:], peaks[-3:]) if len(sizes) > 2 else Polynomial(())

    def extrapolated(length: int) -> float:
        line = peaks[-1] + slope * (length - sizes[-1])
        return max(line, peaks[-1] * (length / sizes[-1]) ** power, float(curve.at(length)))

    return extrapolated


def _tried(
    series: Series, grown: Callable[[int], float], problem: Problem, allowed: int, room: int | None
) -> tuple[Tried, ...]:
    """Every length that ran out of memory, with its forecast."""
    on_cpu = problem.device == "cpu"
    found = []
    for row in series.lacking:
        if row.status != "out_of_memory":
            continue
        length = LENGTH.size(row.problem)
        forecast = round(grown(length))
        one = Tried(
            length=length,
            forecast=forecast,
            takes=forecast if on_cpu else forecast + inputs(problem, length),
            limit=allowed if on_cpu else room,
            was_tried=row.cause != "foreseen_memory",
        )
        found.append(one)
    return tuple(found)
