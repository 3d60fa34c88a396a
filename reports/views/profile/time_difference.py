"""A difference in time: its parts in words, and as a waterfall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.profile.differences import (
    MOST_UNEXPLAINED,
    PRODUCTS,
    WHOLE,
    Piece,
    TimeDifference,
    merged,
)
from reports.analysis.profile.operators import Operators
from reports.rows.panels import ATTENTION
from reports.views.charts.chart import Chart
from reports.views.charts.waterfall import Step, Words, waterfall
from reports.views.numbers import milliseconds, percent, times_of
from reports.views.profile.operators import shown
from reports.views.profile.pieces import (
    LEAST_BAR,
    LONGEST_LABEL,
    MOST_BARS,
    NAME_ON_CHART,
    against,
    beside,
    lines,
    longer,
    named,
    operators,
    short_lines,
    signed,
)
from reports.views.text import LONGEST_NAME, abbreviated, counted

KEY: Final = "profile_time_difference"
UNEXPLAINED: Final = "not explained by the profile"
_BARS: Final = (
    "bars: profiled differences; the first and the last bar: measured without the profiler"
)
_NOTE: Final = (
    "The first and the last bar are the medians of the run, without the profiler. The bars between "
    "them are differences of profiled time."
)


def sentences(found: TimeDifference) -> list[str]:
    """The size of the difference, its parts, and its unexplained part."""
    return [*_ratio(found), *parts(found)]


def parts(found: TimeDifference) -> list[str]:
    """The parts of the difference; where a difference is shown, also its unexplained part."""
    if found.is_shown:
        whole = found.measured_ms
        made_of = [*_made_of(found, whole, f"Of the difference of {_ms(abs(whole))}")]
        return [*made_of, *_opaque(found), *_against(found), _rest(found)]
    if found.judged is not None and found.judged.verdict == "same":
        return list(_opaque(found))
    whole = found.profiled_ms
    start = f"Of the {_ms(abs(whole))} between the profiled calls"
    return [*_made_of(found, whole, start), *_opaque(found)]


def chart(found: TimeDifference, label: str) -> Chart:
    """The waterfall from the time of the second implementation to that of the first."""
    own, other = _names(found, NAME_ON_CHART)
    pieces, others = merged(found.pieces, LEAST_BAR, MOST_BARS)
    steps = [
        _end(other, found.other.measured_ms),
        *(_step(found, each) for each in pieces),
        *([_others(others)] if others else []),
        _unexplained(found),
        _end(own, found.own.measured_ms),
    ]
    return waterfall(
        steps,
        Words(
            key=KEY,
            title=f"Time: from {other} to {own}",
            label=label,
            x_title="ms per call",
            note=" ".join((_NOTE, *_compared_with(found))),
            bars=_BARS,
            alt=f"From {other} to {own}: "
            + "; ".join(each.label.replace("\n", " ") for each in steps)
            + ".",
            names={
                "value": "measured time",
                "more": f"{own} takes more",
                "less": f"{own} takes less",
                "unexplained": UNEXPLAINED,
            },
        ),
        ATTENTION,
    )


def name(found: TimeDifference, piece: Piece) -> str:
    """The name of a piece in tables and beside bars."""
    if found.opaque is not None and piece.group == PRODUCTS:
        return (
            "products - fused kernel" if found.opaque is found.other else "fused kernel - products"
        )
    return "fused kernel" if piece.group in WHOLE else shown(piece.group)


def noun(found: TimeDifference, piece: Piece) -> str:
    """The same in a sentence."""
    named_by = name(found, piece)
    return f"{named_by} operators" if named_by in ("elementwise", "other") else named_by


def _names(found: TimeDifference, most: int = LONGEST_NAME) -> tuple[str, str]:
    return _name(found.own, most), _name(found.other, most)


def _name(side: Operators, most: int = LONGEST_NAME) -> str:
    return abbreviated(side.profile.implementation, most)


def _ms(value: float) -> str:
    return f"{milliseconds(value)} ms"


def _ratio(found: TimeDifference) -> Iterator[str]:
    """The ratio of the protocol with its interval and the two times."""
    own, other = _names(found)
    both = f"{_ms(found.own.measured_ms)} against {_ms(found.other.measured_ms)}"
    row = found.judged
    if row is None or row.ratio is None:
        yield f"{own} takes {both} of {other}; no session measured both."
        return
    ratio = f"{own} takes {times_of(row.ratio, row.low, row.high, f'the time of {other}')}"
    if found.is_shown:
        yield f"{ratio}: {both}."
    else:
        yield f"{ratio}: {both}. The verdict is “{row.verdict}”: no difference is shown."


def _made_of(found: TimeDifference, whole: float, start: str) -> Iterator[str]:
    """The largest pieces in the direction of the difference, with operators and source lines."""
    pieces = [each for each in named(found.pieces, whole) if not _is_kernel(found, each)]
    if not pieces:
        return
    own, other = _names(found)
    by_kind = found.opaque is not None
    said = [
        f"{_ms(abs(each.difference))} in {noun(found, each)}{beside(each, operator_names=by_kind)}"
        for each in pieces
    ]
    slower = own if whole > 0 else other
    yield f"{start}, {slower} spends {', '.join(said)}."


def _is_kernel(found: TimeDifference, piece: Piece) -> bool:
    """Whether the piece compares products with a whole kernel, which has a sentence of its own."""
    return found.opaque is not None and piece.group == PRODUCTS


def _compared_with(found: TimeDifference) -> Iterator[str]:
    """A fused kernel beside the products of the other implementation."""
    if found.opaque is not None:
        eager = found.own if found.opaque is found.other else found.other
        fused, products = (_name(each) for each in (found.opaque, eager))
        yield f"{fused} is one fused kernel: all of it is compared with the products of {products}."


def _opaque(found: TimeDifference) -> Iterator[str]:
    """The products of one compared with the kernel of the other, which contains them."""
    if found.opaque is None:
        return
    piece = next((each for each in found.pieces if each.group == PRODUCTS), None)
    if piece is None:
        return
    eager, fused = (
        (found.own, found.other) if found.opaque is found.other else (found.other, found.own)
    )
    took = piece.difference if fused is found.other else -piece.difference
    side = piece.own if fused is found.other else piece.other
    at = ", ".join(lines(side))
    word = "more" if took >= 0 else "less"
    yield (
        f"{_name(fused)} is one fused kernel. The products of {_name(eager)}"
        f"{f' ({at})' if at else ''} alone take {_ms(abs(took))} {word} than that whole kernel."
    )


def _against(found: TimeDifference) -> Iterator[str]:
    """The largest piece that makes the difference smaller."""
    piece = against(found.pieces, found.measured_ms)
    if piece is None or _is_kernel(found, piece):
        return
    own, other = _names(found)
    less, more = (own, other) if piece.difference < 0 else (other, own)
    text = beside(piece, operator_names=found.opaque is not None)
    yield (
        f"Against that, {name(found, piece)} takes {_ms(abs(piece.difference))} less in {less} "
        f"than in {more}{text}."
    )


def _rest(found: TimeDifference) -> str:
    """The part of the difference that the profile does not explain."""
    rest = f"{_ms(abs(found.unexplained_ms))} ({percent(found.unexplained_share)})"
    is_more = found.unexplained_ms * found.measured_ms < 0
    if found.unexplained_share > MOST_UNEXPLAINED:
        said = f"exceed the difference by {rest}" if is_more else f"lack {rest} of the difference"
        return (
            f"The profiled parts {said}, more than a quarter. The profile does not explain that: "
            "the parts are a rough guide."
        )
    more = "the parts exceed it by" if is_more else "the parts lack"
    return f"The profile explains the difference: {more} {rest}."


def _end(own: str, ms: float) -> Step:
    return Step(f"{own}\n{_ms(ms)}", ms, f"{own}\n{_ms(ms)}, measured", is_value=True)


def _step(found: TimeDifference, piece: Piece) -> Step:
    own, other = _names(found)
    amount = signed(piece.difference, _ms)
    at, short = short_lines(longer(piece)), abbreviated(name(found, piece), LONGEST_LABEL)
    every = sorted((*piece.own, *piece.other), key=lambda each: -each.value)
    return Step(
        label="\n".join((short, f"{amount} {at}".strip())),
        amount=piece.difference,
        hover="\n".join(
            filter(
                None,
                (
                    f"{name(found, piece)}: {amount}",
                    f"{own} {_ms(piece.own_value)}",
                    f"{other} {_ms(piece.other_value)}",
                    ", ".join(operators(every)),
                    *lines(every, 6),
                ),
            )
        ),
    )


def _others(pieces: list[Piece]) -> Step:
    total = sum(each.difference for each in pieces)
    text = f"{counted(len(pieces), 'smaller part')}\n{signed(total, _ms)}"
    return Step(text, total, text)


def _unexplained(found: TimeDifference) -> Step:
    text = f"{UNEXPLAINED}\n{signed(found.unexplained_ms, _ms)}"
    return Step(text, found.unexplained_ms, text, is_unexplained=True)
