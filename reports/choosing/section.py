"""The parts of a page that help to choose: where the winner changes, the limit, time and memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reports import words
from reports.analysis import Analysis
from reports.choosing.crossovers import Crossover, crossovers
from reports.choosing.curves import Crossing
from reports.choosing.maps import maps, rankings
from reports.choosing.ratios import ratios_of
from reports.choosing.roofline import rooflines, share_tables
from reports.choosing.tradeoff import tradeoff_charts, tradeoff_tables
from reports.panels import panels_of, subject
from reports.sections import Row, Section, Table, Value
from suites.stats.intervals import RISK

MOST_SENTENCES: Final = 8
_HEAD: Final = (
    "changes to",
    "from",
    "at",
    "95 %",
    "measured between",
    "chance of no change",
    "leads",
    "on",
    "note",
)
_HOW: Final = (
    "Between the measured sizes the ratio of two times is interpolated; an interval holds every "
    "size around the crossing at which the sessions do not tell the two apart."
)


def sections(analysis: Analysis) -> list[Section]:
    """Those of the three that have something to show, in order."""
    found = (_crossovers(analysis), _limit(analysis), _tradeoff(analysis))
    return [each for each in found if each.charts or each.tables or each.sentences]


def _crossovers(analysis: Analysis) -> Section:
    ratios = ratios_of(analysis)
    found = crossovers(analysis, ratios)
    return Section(
        id="crossovers",
        heading="Where the winner changes",
        sentences=tuple(_sentences(found)),
        charts=tuple(maps(analysis, rankings(analysis, ratios))),
        tables=tuple(_tables(analysis, found)),
    )


def _limit(analysis: Analysis) -> Section:
    return Section(
        id="limit",
        heading="How close to the limit",
        charts=tuple(rooflines(analysis)),
        tables=tuple(share_tables(analysis)),
    )


def _tradeoff(analysis: Analysis) -> Section:
    return Section(
        id="tradeoff",
        heading="Time, memory and error",
        charts=tuple(tradeoff_charts(analysis)),
        tables=tuple(tradeoff_tables(analysis)),
    )


def _sentences(found: Sequence[Crossover]) -> Iterator[str]:
    """The changes of the fastest of all, some of them, and what all of them are worth."""
    leading = [each for each in found if each.leads]
    leading.sort(key=lambda each: _open(each.crossing))
    yield from map(sentence, leading[:MOST_SENTENCES])
    if len(leading) > MOST_SENTENCES:
        more = words.counted(len(leading) - MOST_SENTENCES, "more change")
        yield f"The table has {more} of the fastest."
    if found and not leading:
        yield "The order of some changes, but not who is fastest."


def sentence(found: Crossover) -> str:
    """One change: chunked becomes faster than naive from T = 812 [640, 1,030] on (full mask).

    It `may become` faster where the two are told apart on one side only. Without an interval it
    does so between two measured sizes: the points do not carry the digits of a size in between.
    """
    after, before = words.abbreviated(found.after), words.abbreviated(found.before)
    becomes = "may become" if _open(found.crossing) else "becomes"
    said = f"{after} {becomes} faster than {before} {_place(found)}"
    notes = "; ".join(_notes(found))
    return f"{said} ({found.where}){'; ' if notes else ''}{notes}."


def _place(found: Crossover) -> str:
    """Where it changes: from T = 812 [640, 1,030] on, between 1 and 4 heads."""
    is_length = found.axis.field == "length"
    if not found.crossing.settled:
        between = _between(found)
        return f"between T = {between}" if is_length else f"between {between} heads"
    size, interval = _size(found, found.crossing.size), f"[{_interval(found)}]"
    return f"from T = {size} {interval} on" if is_length else f"from {_heads(size, interval)} on"


def _at(found: Crossover) -> str:
    """The same in a cell, without the interval: 812 tokens, between 1 and 4 heads."""
    is_length = found.axis.field == "length"
    if not found.crossing.settled:
        return f"between {_between(found)} {'tokens' if is_length else 'heads'}"
    size = _size(found, found.crossing.size)
    return f"{size} tokens" if is_length else _heads(size)


def _between(found: Crossover) -> str:
    """The two measured sizes: 512 and 1,024."""
    return " and ".join(f"{size:,}" for size in found.measured)


def _heads(size: str, interval: str = "") -> str:
    """So many heads: 1 head, 3.8 [3.1, 5] heads."""
    return " ".join(filter(None, (size, interval, "head" if size == "1" else "heads")))


def _notes(found: Crossover) -> Iterator[str]:
    crossing = found.crossing
    if not crossing.settled:
        few = "fewer than two sessions timed both at every size"
        yield f"no interval: {few if found.sessions < 2 else 'the sessions tie'}"
    elif _open(crossing):
        end = found.sizes[0] if crossing.low is None else found.sizes[1]
        yield f"not told apart at {end:,}; chance of no change in range: {_chance(crossing)}"
    if found.often:
        yield "their order changes more than once"


def _open(crossing: Crossing) -> bool:
    """Whether the sessions tell the two apart on one side of it only, or on none."""
    return crossing.low is None or crossing.high is None


def _chance(crossing: Crossing) -> str:
    """The probability that the order does not change within the range."""
    if crossing.absent is None:
        return ""
    if crossing.absent < 0.001:
        return "under 0.1 %"
    return f"{100 * crossing.absent:.2g} %"


def _interval(found: Crossover) -> str:
    """Its ends; an open one by the last size there is."""
    first, last = (_size(found, size) for size in found.sizes)
    low, high = found.crossing.low, found.crossing.high
    below = f"{first} or below" if low is None else _size(found, low)
    above = f"{last} or above" if high is None else _size(found, high)
    return f"{below}, {above}"


def _size(found: Crossover, size: float) -> str:
    """Tokens to four digits, with commas; heads to a tenth."""
    if found.axis.field == "heads" and size < 100:
        return f"{size:.1f}".removesuffix(".0")
    return f"{float(f'{size:.4g}'):,.0f}"


def _tables(analysis: Analysis, found: Iterable[Crossover]) -> Iterator[Table]:
    found = list(found)
    for panel in panels_of(analysis.plan):
        own = [each for each in found if each.panel == panel]
        if own:
            caption = f"Where the order of two changes: {subject(panel)}.{_expected(own)}"
            yield Table(caption=caption, head=_HEAD, rows=tuple(map(_row, own)))


def _expected(found: Iterable[Crossover]) -> str:
    """What the intervals of a table are worth; empty where none has one."""
    settled = sum(each.crossing.settled for each in found)
    if not settled:
        return ""
    intervals = words.counted(settled, "interval")
    return f" {_HOW} Of {intervals} up to {RISK * settled:.2g} are expected to miss."


def _row(found: Crossover) -> Row:
    crossing = found.crossing
    return Row(
        cells=(
            Value(words.abbreviated(found.after)),
            Value(words.abbreviated(found.before)),
            Value(_at(found), crossing.size),
            Value(_interval(found) if crossing.settled else "", crossing.low),
            Value(_between(found), found.measured[0]),
            Value(_chance(crossing), crossing.absent),
            Value("yes" if found.leads else "", float(found.leads)),
            Value(found.where),
            Value("; ".join(_notes(found))),
        ),
        facets=found.facets,
    )
