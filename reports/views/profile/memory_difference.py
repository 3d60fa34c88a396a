"""A difference in memory at the peak: its parts in words, and as a waterfall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.profile.differences import MemoryDifference, Piece, merged
from reports.rows.panels import ATTENTION
from reports.views.charts.chart import Chart
from reports.views.charts.waterfall import Step, Words, waterfall
from reports.views.numbers import mebibytes
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
    short_lines,
    signed,
)
from reports.views.text import LONGEST_NAME, abbreviated, counted

KEY: Final = "profile_memory_difference"
SHARED: Final = "tensors of equal size that both hold"
_NOTE: Final = (
    "Bytes of torch's allocator above the inputs, held at the peak of each. The bars add up to the "
    "peaks, to the byte. Tensors of equal size that both hold have no bar."
)


def sentences(found: MemoryDifference) -> list[str]:
    """The size of the difference of the peaks, and the operators that hold it."""
    own, other = _names(found)
    peaks = [_mib(each) for each in found.peaks]
    whole = float(found.peaks[0] - found.peaks[1])
    if not whole:
        return [f"At its peak {own} holds {peaks[0]} above the inputs, and so does {other}."]
    more = "more" if whole > 0 else "less"
    first = (
        f"At its peak {own} holds {peaks[0]} above the inputs, {other} {peaks[1]}: "
        f"{_mib(abs(whole))} {more}."
    )
    return [first, *_made_of(found, whole)]


def chart(found: MemoryDifference, label: str) -> Chart:
    """The waterfall from the peak of the second implementation to that of the first."""
    own, other = _names(found, NAME_ON_CHART)
    differing = [each for each in found.pieces if each.difference]
    pieces, others = merged(differing, LEAST_BAR, MOST_BARS)
    steps = [
        _end(other, found.peaks[1]),
        *(_step(found, each) for each in pieces),
        *([_others(others)] if others else []),
        _end(own, found.peaks[0]),
    ]
    return waterfall(
        steps,
        Words(
            key=KEY,
            title=f"Memory at the peak: from {other} to {own}",
            label=label,
            x_title="MiB above the inputs",
            note=_NOTE,
            bars="bars: memory that one of the two holds at its peak, and the other one does not",
            alt=f"From {other} to {own}: "
            + "; ".join(each.label.replace("\n", " ") for each in steps)
            + ".",
            names={
                "value": "peak",
                "more": f"{own} holds more",
                "less": f"{own} holds less",
            },
        ),
        ATTENTION,
    )


def name(piece: Piece) -> str:
    """The name of a piece in tables and beside bars."""
    return shown(piece.group)


def _names(found: MemoryDifference, most: int = LONGEST_NAME) -> tuple[str, str]:
    own, other = (abbreviated(each.implementation, most) for each in (found.own, found.other))
    return own, other


def _mib(value: float) -> str:
    return f"{mebibytes(value)} MiB"


def _made_of(found: MemoryDifference, whole: float) -> Iterator[str]:
    """Memory that each of the two holds more of, first the one with the higher peak."""
    own, other = _names(found)
    if pieces := named(found.pieces, whole):
        yield f"More in {own if whole > 0 else other}: {', '.join(map(_piece, pieces))}."
    piece = against(found.pieces, whole)
    if piece is not None:
        yield f"More in {other if whole > 0 else own}: {_piece(piece)}."


def _piece(piece: Piece) -> str:
    """As "8.00 MiB from bmm (8x256x512 float32; impls/chunked.py:102)"."""
    return f"{_mib(abs(piece.difference))} from {name(piece)}{beside(piece, operator_names=False)}"


def _end(own: str, peak: int) -> Step:
    return Step(f"{own}\n{_mib(peak)}", peak / 2**20, f"{own}\n{_mib(peak)} at its peak", True)


def _step(found: MemoryDifference, piece: Piece) -> Step:
    own, other = _names(found)
    amount = signed(piece.difference, _mib)
    at, short = short_lines(longer(piece)), abbreviated(name(piece), LONGEST_LABEL)
    every = sorted((*piece.own, *piece.other), key=lambda each: -each.value)
    return Step(
        label="\n".join((short, f"{amount} {at}".strip())),
        amount=piece.difference / 2**20,
        hover="\n".join(
            (
                f"{name(piece)}: {amount}",
                f"{own} {_mib(piece.own_value)}",
                f"{other} {_mib(piece.other_value)}",
                *lines(every, 6),
            )
        ),
    )


def _others(pieces: list[Piece]) -> Step:
    total = sum(each.difference for each in pieces)
    text = f"{counted(len(pieces), 'smaller part')}\n{signed(total, _mib)}"
    return Step(text, total / 2**20, text)
