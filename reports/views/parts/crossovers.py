"""Where the winner changes: crossovers and maps of the fastest implementation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reports.analysis.ranking.crossings import Crossing
from reports.analysis.ranking.crossovers import Crossover, crossovers
from reports.analysis.ranking.ranking import rankings
from reports.analysis.ranking.ratios import ratios_of
from reports.analysis.run_analysis import Analysis
from reports.rows.families import LENGTH
from reports.rows.panels import panels_of
from reports.views import families
from reports.views.charts.fastest_maps import maps
from reports.views.panels import subject
from reports.views.problems import common_facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated, counted
from suites.stats.intervals import RISK

ORDER: Final = 2
MOST_SENTENCES: Final = 8
_HEAD: Final = (
    "changes to",
    "from",
    "at",
    "95 %",
    "on",
    "leads",
    "measured between",
    "chance of no change",
    "note",
)
_HOW: Final = (
    "Between the measured sizes the ratio of two times is interpolated; an interval contains every "
    "size around the crossing at which the sessions do not distinguish the two."
)


def section(analysis: Analysis) -> Section:
    """Crossovers over lengths and heads, with maps of the fastest."""
    ratios = ratios_of(analysis)
    found = crossovers(analysis, ratios)
    several = len(analysis.plan.threads) > 1
    return Section(
        id="crossovers",
        heading="Where the winner changes",
        sentences=tuple(_sentences(found, several=several)),
        charts=tuple(maps(analysis, rankings(analysis, ratios))),
        tables=tuple(_tables(analysis, found, several=several)),
    )


def _sentences(found: Sequence[Crossover], *, several: bool) -> Iterator[str]:
    """The changes of the fastest of all; many of them are counted."""
    leading = [each for each in found if each.leads]
    leading.sort(key=lambda each: _is_open(each.crossing))
    yield from (sentence(each, several=several) for each in leading[:MOST_SENTENCES])
    if len(leading) > MOST_SENTENCES:
        more = counted(len(leading) - MOST_SENTENCES, "more change")
        yield f"The table has {more} of the fastest."
    if found and not leading:
        yield "The order of some implementations changes, but the fastest stays the fastest."


def sentence(found: Crossover, *, several: bool = False) -> str:
    """One change: chunked becomes faster than naive from T = 812 [640, 1,030] on (full mask).

    It `may become` faster where the order is significant on one side only. Without an interval it
    changes between two measured sizes: no digits of a size in between are known.

    several  whether the run has several numbers of threads, so that they are named
    """
    after, before = abbreviated(found.after), abbreviated(found.before)
    becomes = "may become" if _is_open(found.crossing) else "becomes"
    said = f"{after} {becomes} faster than {before} {_place(found)}"
    notes = "; ".join(_notes(found))
    return f"{said} ({_where(found, several=several)}){'; ' if notes else ''}{notes}."


def _where(found: Crossover, *, several: bool) -> str:
    count = counted(found.threads, "thread") if several else ""
    return ", ".join(filter(None, (families.where(found.group), count)))


def _place(found: Crossover) -> str:
    """Where it changes: from T = 812 [640, 1,030] on, between 1 and 4 heads."""
    is_length = found.axis == LENGTH
    if not found.crossing.settled:
        between = _between(found)
        return f"between T = {between}" if is_length else f"between {between} heads"
    size, interval = families.size_text(found.axis, found.crossing.size), f"[{_interval(found)}]"
    return f"from T = {size} {interval} on" if is_length else f"from {_heads(size, interval)} on"


def _at(found: Crossover) -> str:
    """The same in a cell, without the interval: 812 tokens, between 1 and 4 heads."""
    is_length = found.axis == LENGTH
    if not found.crossing.settled:
        return f"between {_between(found)} {'tokens' if is_length else 'heads'}"
    size = families.size_text(found.axis, found.crossing.size)
    return f"{size} tokens" if is_length else _heads(size)


def _between(found: Crossover) -> str:
    """The two measured sizes: 512 and 1,024."""
    return " and ".join(f"{size:,}" for size in found.measured)


def _heads(size: str, interval: str = "") -> str:
    """A number of heads: 1 head, 3.8 [3.1, 5] heads."""
    return " ".join(filter(None, (size, interval, "head" if size == "1" else "heads")))


def _notes(found: Crossover) -> Iterator[str]:
    crossing = found.crossing
    if not crossing.settled:
        few = "fewer than two sessions timed both at every size"
        yield f"no interval: {few if found.sessions < 2 else 'the sessions tie'}"
    elif _is_open(crossing):
        end = found.sizes[0] if crossing.low is None else found.sizes[1]
        yield f"not distinguished at {end:,}; chance of no change in range: {_chance(crossing)}"
    if found.often:
        yield "their order changes more than once"


def _is_open(crossing: Crossing) -> bool:
    """Whether the order is significant on one side of the crossing only, or on none."""
    return crossing.low is None or crossing.high is None


def _chance(crossing: Crossing) -> str:
    """The probability that the order does not change within the range."""
    if crossing.absent is None:
        return ""
    if crossing.absent < 0.001:
        return "under 0.1 %"
    return f"{100 * crossing.absent:.2g} %"


def _interval(found: Crossover) -> str:
    """The ends of the interval; an open end by the last size."""
    first, last = (families.size_text(found.axis, size) for size in found.sizes)
    low, high = found.crossing.low, found.crossing.high
    below = f"{first} or below" if low is None else families.size_text(found.axis, low)
    above = f"{last} or above" if high is None else families.size_text(found.axis, high)
    return f"{below}, {above}"


def _tables(analysis: Analysis, found: Sequence[Crossover], *, several: bool) -> Iterator[Table]:
    for panel in panels_of(analysis.plan):
        own = [each for each in found if each.panel == panel]
        if own:
            caption = f"Where the order of two changes: {subject(panel)}.{_expected(own)}"
            rows = tuple(_row(each, several=several) for each in own)
            yield Table(caption=caption, head=_HEAD, rows=rows)


def _expected(found: Iterable[Crossover]) -> str:
    """How many intervals of a table are expected to miss; empty where there is none."""
    settled = sum(each.crossing.settled for each in found)
    if not settled:
        return ""
    intervals = counted(settled, "interval")
    return f" {_HOW} Of {intervals} up to {RISK * settled:.2g} are expected to miss."


def _row(found: Crossover, *, several: bool) -> Row:
    crossing = found.crossing
    return Row(
        cells=(
            Value(abbreviated(found.after)),
            Value(abbreviated(found.before)),
            Value(_at(found), crossing.size),
            Value(_interval(found) if crossing.settled else "", crossing.low),
            Value(_where(found, several=several)),
            Value("yes" if found.leads else "", float(found.leads)),
            Value(_between(found), found.measured[0]),
            Value(_chance(crossing), crossing.absent),
            Value("; ".join(_notes(found))),
        ),
        facets=common_facets(found.problems),
    )
