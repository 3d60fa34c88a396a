"""Pieces of a difference as text: what they are, their operators, and their source lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Final

from reports.analysis.profile.differences import Amount, Piece
from reports.views.profile.operators import shown

MOST_LINES: Final = 2
"""Source lines beside a piece in a sentence or on a chart; the table has more."""
MOST_OPERATORS: Final = 3
_LEAST_SHARE: Final = 0.2
"""The share of a piece from which a further operator or line is named in a sentence."""
MOST_IN_TABLE: Final = 6
MOST_BARS: Final = 8
"""Pieces with a bar of their own."""
LEAST_BAR: Final = 0.02
"""The share of the largest piece below which a piece is one of the others."""
NAME_ON_CHART: Final = 24
"""Characters of an implementation's name on the chart."""
LONGEST_LABEL: Final = 32
"""Characters of the name of a piece beside its bar."""
MOST_NAMED: Final = 4
"""Pieces that a sentence names."""
ENOUGH: Final = 0.8
"""The share of the pieces of one direction that a sentence names, if these are few."""
LEAST_NAMED: Final = 0.05
"""The share of the whole difference from which a sentence names a piece."""

Text = Callable[[float], str]
"""A value as text, with its unit."""


def signed(value: float, text: Text) -> str:
    """A difference with its sign: +48.4 ms, -0.31 ms."""
    return f"{'+' if value >= 0 else '-'}{text(abs(value))}"


def longer(piece: Piece) -> Sequence[Amount]:
    """The side that takes more, largest amount first."""
    return piece.own if piece.difference >= 0 else piece.other


def operators(amounts: Iterable[Amount], most: int = MOST_OPERATORS) -> list[str]:
    """The operators that matter, the largest first, each with its amount over all lines."""
    return list(_largest(amounts, lambda each: shown(each.operator), most))


def lines(amounts: Iterable[Amount], most: int = MOST_LINES) -> list[str]:
    """The source lines that matter, the largest first: impls/chunked.py:105, :99."""
    found = _largest(amounts, lambda each: each.line.rpartition(" ")[0] or each.line, most)
    return list(_without_repeated_files(found))


def short_lines(amounts: Iterable[Amount]) -> str:
    """The same without folders, as one text."""
    return ", ".join(PurePath(line).name for line in lines(amounts))


def _largest(
    amounts: Iterable[Amount], key: Callable[[Amount], str], most: int
) -> dict[str, float]:
    """The values by key, the largest first: the first one, and others that matter beside it."""
    sums: dict[str, float] = {}
    for each in amounts:
        if key(each):
            sums[key(each)] = sums.get(key(each), 0.0) + each.value
    ordered = sorted(sums, key=lambda each: -sums[each])[:most]
    whole = sum(sums.values())
    least = _LEAST_SHARE if most <= MOST_OPERATORS else 0.0
    return {
        name: sums[name]
        for place, name in enumerate(ordered)
        if place == 0 or sums[name] >= least * whole
    }


def _without_repeated_files(names: Iterable[str]) -> Iterator[str]:
    """Lines, each without its file where that of the line before it is the same."""
    before = ""
    for name in names:
        file, colon, number = name.rpartition(":")
        yield f"{colon}{number}" if file and file == before else name
        before = file


def named(pieces: Sequence[Piece], whole: float) -> list[Piece]:
    """The pieces that a sentence names: the largest in the direction of the difference."""
    sign = 1 if whole >= 0 else -1
    found = [each for each in pieces if sign * each.difference > LEAST_NAMED * abs(whole)]
    total, kept = sum(each.difference for each in found), list[Piece]()
    for each in found[:MOST_NAMED]:
        if sum(piece.difference for piece in kept) * sign >= ENOUGH * total * sign:
            break
        kept.append(each)
    return kept


def against(pieces: Sequence[Piece], whole: float) -> Piece | None:
    """The largest piece in the other direction, where it matters."""
    sign = 1 if whole >= 0 else -1
    found = (each for each in pieces if -sign * each.difference > 2 * LEAST_NAMED * abs(whole))
    return next(found, None)


def beside(piece: Piece, *, operator_names: bool) -> str:
    """The operators and lines of a piece, in brackets: (sub_, mul_; impls/chunked.py:105, :99)."""
    side = longer(piece)
    parts = [
        ", ".join(operators(side)) if operator_names else "",
        side[0].shape,
        ", ".join(lines(side)),
    ]
    text = "; ".join(filter(None, parts))
    return f" ({text})" if text else ""
