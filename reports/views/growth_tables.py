"""The tables of growth: exponents and models of times, polynomials of bytes; a row a series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reports.analysis.growth.exponents import Exponent
from reports.analysis.growth.growth import Growth
from reports.analysis.growth.memory import TRUSTED, Memory, Tried
from reports.analysis.growth.models import FEWEST, LEAST_SPAN, Model, Prediction, Unmodelled
from reports.analysis.growth.polynomials import Piece
from reports.rows.families import LENGTH
from reports.views import families
from reports.views.coefficients import explained
from reports.views.commands import repeat_command, setting_options
from reports.views.numbers import milliseconds, percent, three_digits
from reports.views.problems import facets
from reports.views.sections import Row, Table, Value
from reports.views.statuses import STATUS_WORDS
from suites.records.plan import Plan

_TIME_HEAD: Final = (
    "implementation",
    "problems",
    "last exponent",
    "time follows",
    "forecast",
    "held out: predicted and measured",
    "first exponent",
)
_MEMORY_HEAD: Final = (
    "implementation",
    "problems",
    "bytes above the inputs at length T",
    "longest that fits",
    "resident / requested",
    "meaning",
    "tried",
)
_TIME_CAPTION: Final = (
    "Exponents between the two shortest and the two longest lengths, with 95 % intervals over "
    "sessions. Models are sums of powers of the length; models that the times do not distinguish "
    "are listed together. The longest lengths are predicted from the shorter ones."
)
_MEMORY_CAPTION: Final = (
    "Requested bytes above the inputs, exact. A polynomial gives every measured length to the "
    "byte and predicts at least one more than it is solved from. From three lengths it is "
    "unchecked: a fourth may refute it. The longest length that fits is the one at which inputs "
    "and requested bytes fill the whole memory. Where no polynomial holds at the longest lengths, "
    f"it is an estimate (about). The forecast is capped at {TRUSTED} times the longest measured "
    "length (beyond). Resident memory differs by the ratio beside it."
)


def time_table(plan: Plan, found: Iterable[Growth]) -> Table:
    """Exponents, models and predictions of every series that has times at two lengths."""
    rows = tuple(_row(plan, each, _time_cells(each)) for each in found if each.exponents)
    return Table(_TIME_CAPTION, _TIME_HEAD, rows)


def memory_table(plan: Plan, found: Iterable[Growth]) -> Table:
    """Polynomials and the longest length that fits, of series with bytes at two lengths."""
    rows = tuple(
        _row(plan, each, _memory_cells(each, each.memory))
        for each in found
        if each.memory is not None
    )
    return Table(_MEMORY_CAPTION, _MEMORY_HEAD, rows)


def longest_cells(found: Growth) -> tuple[str, str] | None:
    """The foretold longest length, and what was tried; None without bytes at two lengths."""
    if found.memory is None:
        return None
    return _longest(found.memory).text, _tried(found, found.memory)


def gibibytes(value: float) -> str:
    """Bytes as GiB, with the unit."""
    return f"{three_digits(value / 2**30)} GiB"


def piece_words(memory: Memory) -> str:
    """The polynomial, or several with the lengths that each holds for."""
    parts = memory.pieces
    if len(parts) == 1 and parts[0].polynomial is not None:
        return str(parts[0].polynomial)
    text = "; ".join(map(_piece, parts))
    exponent = "" if memory.exponent is None else f"; last exponent {memory.exponent:.2f}"
    return f"{text}{exponent}"


def no_interval(found: Exponent) -> str:
    """Why an exponent has no interval; empty where it has one."""
    if found.low is not None:
        return ""
    if found.unsettled is not None:
        return found.unsettled.reason
    return "one session: no interval" if found.sessions else "no session measured both lengths"


def _piece(piece: Piece) -> str:
    where = f"{piece.first} to {piece.last}" if piece.first < piece.last else f"{piece.first}"
    return f"{where}: {piece.polynomial or 'no polynomial'}"


def _row(plan: Plan, growth: Growth, cells: tuple[Value, ...]) -> Row:
    name, problem = growth.series.implementation, growth.series.problems[-1]
    entry = next(each for each in plan.entries if each.name == name)
    command = repeat_command(problem, entry, plan.inputs_of(problem)) + setting_options(
        plan, max(plan.threads)
    )
    where = families.where(growth.family.group)
    return Row((Value(name), Value(where), *cells), facets(problem, name), command)


def _time_cells(growth: Growth) -> tuple[Value, ...]:
    first, last = growth.exponents[0], growth.exponents[-1]
    return (_exponent(last), *_model_cells(growth.model), _exponent(first))


def _exponent(found: Exponent) -> Value:
    where = f"{found} from {found.shorter} to {found.longer}"
    why = no_interval(found)
    return Value(f"{where} ({why})" if why else where, found.value)


def _model_cells(found: Model | Unmodelled) -> tuple[Value, Value, Value]:
    if isinstance(found, Unmodelled):
        return Value(why_unmodelled(found)), Value(""), Value("")
    worst = max(abs(each.error) for each in found.predictions)
    return (
        Value(_follows(found), len(found.models)),
        Value(found.verdict),
        Value("; ".join(map(_prediction, found.predictions)), worst),
    )


def why_unmodelled(found: Unmodelled) -> str:
    """Why a series of times has no model."""
    values = found.values
    if found.cause == "few_lengths":
        return f"a model needs {FEWEST} lengths, not {values[0]:g}"
    if found.cause == "implausible_time":
        return f"a time of {values[0]:g} ms is implausible: the clock fails"
    if found.cause == "constant_time":
        return "every length takes the same time: nothing grows"
    return (
        f"lengths from {values[0]:.0f} to {values[1]:.0f}, without those held out, are too close "
        f"together to distinguish powers: less than a factor of {LEAST_SPAN:g}"
    )


def _follows(found: Model) -> str:
    if not found.models:
        return f"no sum of powers: off by {percent(found.worst)} at best"
    if not found.is_conclusive:
        but = "".join(f" but {term}" for term in found.ruled_out)
        return f"inconclusive: {found.lengths} lengths and their scatter fit every form{but}"
    text = " or ".join(found.models)
    return text if len(found.models) == 1 else f"{text}; leave-one-out selects {found.chosen}"


def _prediction(found: Prediction) -> str:
    bounds = f"[{milliseconds(found.low)}, {milliseconds(found.high)}]"
    sign = "+" if found.error > 0 else ""
    return (
        f"{found.size}: {milliseconds(found.predicted)} {bounds} ms, "
        f"was {milliseconds(found.measured)} ({sign}{percent(found.error)})"
    )


def _memory_cells(growth: Growth, found: Memory) -> tuple[Value, ...]:
    polynomial = found.pieces[-1].polynomial
    return (
        Value(piece_words(found)),
        _longest(found),
        Value("" if found.ratio is None else three_digits(found.ratio), found.ratio),
        Value("" if polynomial is None else explained(polynomial, found.problem)),
        Value(_tried(growth, found)),
    )


def _longest(found: Memory) -> Value:
    """The longest length that fits, as far as it is known."""
    if found.fits is None:
        return Value("")
    unsure = " (three lengths, unchecked)" if found.is_unchecked else ""
    if found.fits > found.trusted:
        return Value(f"beyond {found.trusted}{unsure}", found.trusted)
    about = "" if found.exact else "about "
    return Value(f"{about}{found.fits}{unsure}", found.fits)


def _tried(growth: Growth, found: Memory) -> str:
    """The longest length that agrees, and forecasts of lengths that ran out of memory."""
    last = growth.series.sizes[-1]
    beyond = [row.status for row in growth.series.lacking if LENGTH.size(row.problem) > last]
    others = [STATUS_WORDS[status] for status in beyond if status != "out_of_memory"]
    parts = (
        f"measured up to {last}",
        *(_ran_out(each, found.problem.device) for each in found.tried),
        "" if beyond else "nothing longer tried",
        f"longer ones {', '.join(dict.fromkeys(others))}" if others else "",
    )
    return "; ".join(part for part in parts if part)


def _ran_out(tried: Tried, device: str) -> str:
    text = f"{tried.length} would take {gibibytes(tried.takes)}{_limit(tried, device)}"
    if not tried.was_tried:
        return f"{text}: not tried"
    if tried.agrees is None:
        return f"{text} and ran out: nothing to compare with"
    return f"{text} and ran out: {'agrees' if tried.agrees else 'contradicts'}"


def _limit(tried: Tried, device: str) -> str:
    """The limit that the bytes are compared with."""
    if tried.limit is not None and device == "cpu":
        return f" of {gibibytes(tried.limit)} that one call may add (--memory-limit)"
    if tried.limit is not None:
        return f" with its inputs, of {gibibytes(tried.limit)} of memory of the {device} device"
    return f" with its inputs, the memory of the {device} device is not known,"
