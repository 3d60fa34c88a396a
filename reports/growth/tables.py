"""The growth of time and of memory as tables, a row for each line."""

from __future__ import annotations

from collections.abc import Iterable

from reports import words
from reports.growth.explain import explained
from reports.growth.exponents import Exponent
from reports.growth.lines import size
from reports.growth.memory import TRUSTED, Memory, Tried
from reports.growth.models import Model, Prediction, Unmodelled
from reports.growth.polynomials import Piece
from reports.growth.told import Growth
from reports.judging.verdict_words import percent
from reports.sections import Row, Table, Value, facets
from suites.records.plan import Plan

_TIME_HEAD = (
    "implementation",
    "problems",
    "first exponent",
    "last exponent",
    "time follows",
    "held out: foretold and measured",
    "",
)
_MEMORY_HEAD = (
    "implementation",
    "problems",
    "bytes above the inputs at length T",
    "what they are",
    "longest that fits",
    "resident / requested",
    "tried",
)


def time_table(plan: Plan, told: Iterable[Growth]) -> Table:
    """Exponents, models and predictions of every line that has times at two lengths."""
    rows = [_row(plan, each, _time_cells(each)) for each in told if each.exponents]
    caption = (
        "Exponents between the two shortest and the two longest lengths, with 95 % intervals over "
        "sessions; the sums of powers that the times follow, those that cannot be told apart "
        "together, and where nearly every one fits, that the lengths do not tell; and what the "
        "shorter lengths foretell of the longest."
    )
    return Table(caption, _TIME_HEAD, tuple(rows))


def memory_table(plan: Plan, told: Iterable[Growth]) -> Table:
    """Polynomials and the longest length that fits, of every line with bytes at two lengths."""
    rows = [
        _row(plan, each, _memory_cells(each, each.memory))
        for each in told
        if each.memory is not None
    ]
    caption = (
        "Requested bytes above the inputs, exact: a polynomial gives every measured length to the "
        "byte, and stands here where it foretells one more than it is solved from. Found from "
        "three lengths, it is unchecked: a fourth may refute it. The longest length that fits is "
        "that at which inputs and requested bytes fill the whole memory; where no polynomial holds "
        "at the longest lengths it is an estimate, about, and past "
        f"{TRUSTED} times the longest measured length none is made: beyond. What stays resident "
        "may be more or less, by the ratio beside it."
    )
    return Table(caption, _MEMORY_HEAD, tuple(rows))


def gibibytes(value: float) -> str:
    """Bytes as GiB, with the unit."""
    return f"{words.three_digits(value / 2**30)} GiB"


def piece_words(memory: Memory) -> str:
    """The polynomial, or from which length to which each of several holds."""
    parts = memory.pieces
    if len(parts) == 1 and parts[0].polynomial is not None:
        return str(parts[0].polynomial)
    text = "; ".join(_piece(each) for each in parts)
    exponent = "" if memory.exponent is None else f"; last exponent {memory.exponent:.2f}"
    return f"{text}{exponent}"


def _piece(piece: Piece) -> str:
    where = f"{piece.first} to {piece.last}" if piece.first < piece.last else f"{piece.first}"
    return f"{where}: {piece.polynomial or 'no polynomial'}"


def _row(plan: Plan, told: Growth, cells: tuple[Value, ...]) -> Row:
    name, problem = told.line.implementation, told.line.problems[-1]
    entry = next(each for each in plan.entries if each.name == name)
    command = words.repeat_command(problem, entry)
    return Row(
        cells=(Value(name), Value(told.family.where), *cells),
        facets=facets(problem, name),
        command=command + words.setting_options(plan, max(plan.threads)),
    )


def _time_cells(told: Growth) -> tuple[Value, ...]:
    first, last = told.exponents[0], told.exponents[-1]
    return (_exponent(first), _exponent(last), *_model_cells(told.model))


def _exponent(found: Exponent) -> Value:
    where = f"{found} from {found.shorter} to {found.longer}"
    return Value(f"{where} ({found.why})" if found.why else where, found.value)


def _model_cells(found: Model | Unmodelled) -> tuple[Value, Value, Value]:
    if isinstance(found, Unmodelled):
        return Value(found.reason), Value(""), Value("")
    worst = max(abs(each.off) for each in found.predictions)
    return (
        Value(_follows(found), len(found.models)),
        Value("; ".join(map(_prediction, found.predictions)), worst),
        Value(found.verdict),
    )


def _follows(found: Model) -> str:
    if not found.models:
        return f"no sum of powers: off by {percent(found.worst)} at best"
    if not found.tells:
        but = "".join(f" but {term}" for term in found.ruled_out)
        return f"not told: {found.lengths} lengths and their scatter fit every form{but}"
    text = " or ".join(found.models)
    return text if len(found.models) == 1 else f"{text}; leave-one-out takes {found.chosen}"


def _prediction(found: Prediction) -> str:
    bounds = f"[{words.milliseconds(found.low)}, {words.milliseconds(found.high)}]"
    return (
        f"{found.size}: {words.milliseconds(found.predicted)} {bounds} ms, "
        f"was {words.milliseconds(found.measured)} ({'+' if found.off > 0 else ''}"
        f"{percent(found.off)})"
    )


def _memory_cells(told: Growth, found: Memory) -> tuple[Value, ...]:
    polynomial = found.pieces[-1].polynomial
    return (
        Value(piece_words(found)),
        Value("" if polynomial is None else explained(polynomial, found.problem)),
        _longest(found),
        Value("" if found.ratio is None else words.three_digits(found.ratio), found.ratio),
        Value(_tried(told, found)),
    )


def _longest(found: Memory) -> Value:
    """The longest that fits, as far as that is known."""
    if found.fits is None:
        return Value("")
    unsure = " (three lengths, unchecked)" if found.is_unchecked else ""
    if found.fits > found.trusted:
        return Value(f"beyond {found.trusted}{unsure}", found.trusted)
    about = "" if found.exact else "about "
    return Value(f"{about}{found.fits}{unsure}", found.fits)


def _tried(told: Growth, found: Memory) -> str:
    """How far it was tried, and whether what ran out of memory was forecast to."""
    last = told.line.sizes[-1]
    beyond = [row["status"] for row in told.line.lacking if size(row["problem"]) > last]
    others = [words.STATUS_WORDS[status] for status in beyond if status != "out_of_memory"]
    parts = (
        f"answered up to {last}",
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
    """Which limit the bytes stand beside."""
    if tried.limit is not None and device == "cpu":
        return f" of {gibibytes(tried.limit)} that one call may add (--memory-limit)"
    if tried.limit is not None:
        return f" with its inputs, of {gibibytes(tried.limit)} of memory of the {device} device"
    return f" with its inputs, the memory of the {device} device is not known,"
