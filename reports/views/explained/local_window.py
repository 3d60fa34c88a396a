"""Sliding chunks in words, a picture of the strips, and a table of blocks."""

from __future__ import annotations

from collections.abc import Iterator

from reports.views.charts.heat import Cells, Heat, Panel
from reports.views.explained.words import table
from reports.views.numbers import percent
from reports.views.sections import Section
from suites.explaining.steps import Strips

TITLE = "A window in sliding chunks"
_KINDS = ("skipped", "computed, hidden by the mask", "visible")
_STRENGTH = "strongest: visible; weaker: computed and hidden; weakest: skipped"
_HEAD = ("queries", "strip of keys", "scores computed", "visible")


def answer(found: Strips) -> str:
    """The number of computed scores, of all scores."""
    every = len(found.visible) * found.problem.key_length
    computed = sum(_computed(found))
    return (
        f"The window computes {computed} of {every} scores ({percent(computed / every)}), and "
        f"{_visible(found)} of them are visible."
    )


def notes(found: Strips) -> Iterator[str]:
    """The method, and how its work grows."""
    behind, ahead = found.reach
    after = f" and {ahead} after it" if ahead else ""
    yield f"A query sees {behind} keys before its own{after}, and its own key."
    yield (
        f"The queries are split into blocks of {found.block}. A block reads one strip of keys, at "
        f"most {behind + found.block + ahead} long: the block and the reach on either side."
    )
    yield "Twice the length has twice the blocks, so that work and memory grow linearly."
    yield "A smaller block wastes fewer scores; a larger one has larger matrix products."
    yield "The method is that of arXiv 2004.05150; our local_window takes blocks of 32 to 128."


def sections(found: Strips) -> Iterator[Section]:
    """The picture, and the strips."""
    yield Section("strips", "Computed and skipped", charts=(_heat(found),))
    rows = (
        (f"{first} to {end - 1}", f"{start} to {last - 1}", str(count), str(seen))
        for (first, end), (start, last), count, seen in zip(
            _blocks(found), found.strips, _computed(found), _seen(found), strict=True
        )
    )
    own = table("The strip of each block of queries", _HEAD, rows)
    yield Section("table", "The blocks", tables=(own,))


def _blocks(found: Strips) -> list[tuple[int, int]]:
    length = len(found.visible)
    return [(at, min(at + found.block, length)) for at in range(0, length, found.block)]


def _computed(found: Strips) -> list[int]:
    """Scores of each block."""
    return [
        (end - first) * (last - start)
        for (first, end), (start, last) in zip(_blocks(found), found.strips, strict=True)
    ]


def _seen(found: Strips) -> list[int]:
    return [
        sum(end - start for start, end in found.visible[first:last])
        for first, last in _blocks(found)
    ]


def _visible(found: Strips) -> int:
    return sum(_seen(found))


def _heat(found: Strips) -> Heat:
    return Heat(
        key="window_strips",
        title="Which scores are computed",
        label="",
        common=f"{found.problem}, blocks of {found.block} queries; {_STRENGTH}",
        x_title="key",
        y_title="query",
        panels=(Panel(title="scores", cells=_kinds(found), word="score", names=_KINDS),),
        note="Rows of a block share a strip of keys: the pairs outside it are never computed.",
        alt="A picture of all pairs: skipped, computed and hidden by the mask, or visible.",
    )


def _kinds(found: Strips) -> Cells:
    """0 where a pair is skipped, 1 where it is computed and hidden, 2 where it is visible."""
    return tuple(
        tuple(
            float((strip[0] <= key < strip[1]) + (start <= key < end))
            for key in range(found.problem.key_length)
        )
        for query, (start, end) in enumerate(found.visible)
        for strip in [found.strips[query // found.block]]
    )
