"""The section of a profile's page: which operators grow how with the length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.profile.scaling import Growth, Scaling, scalings
from reports.views.charts.profile_shares import shares_chart
from reports.views.numbers import milliseconds, percent
from reports.views.profile.operators import shown
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated
from reports.views.values import figure

HEADING: Final = "What grows with the length"
LEAST_NAMED: Final = 0.02
"""Share of the call at the longest length from which a sentence names an operator."""
MOST_NAMED: Final = 4
"""Operators of one growth that a sentence names."""
STEEP: Final = 1.5
"""Exponents from here on count as quadratic growth; below, down to FLAT, as linear growth."""
FLAT: Final = 0.5
_NOTE: Final = (
    "The exponent is the logarithm of the ratio of the times at the longest and the shortest "
    "length, over that of the lengths: 1 is linear growth, 2 quadratic. Fixed costs of a call make "
    "it smaller at short lengths. Times are shares of a profiled call, of the measured time."
)


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none with a single length."""
    every = scalings(found)
    if not every:
        return []
    return [
        Section(
            id="scaling",
            heading=HEADING,
            sentences=(*answers(found), _NOTE),
            charts=tuple(map(shares_chart, every)),
            tables=tuple(map(_table, every)),
        )
    ]


def answers(found: ProfiledRun) -> list[str]:
    """Growth of every implementation; empty with a single length."""
    return [said for each in scalings(found) for said in sentences(each)]


def sentences(found: Scaling) -> Iterator[str]:
    """Growth of the call; operators that grow alike, with their share of the call."""
    name, last = abbreviated(found.implementation), found.lengths[-1]
    if found.measured is not None:
        yield (
            f"{name}: the measured time of a call grows with T^{found.measured} from "
            f"T {found.lengths[0]} to T {last}."
        )
    groups = [
        [each for each in found.operators if _is_named(each) and low <= (each.exponent or 0) < high]
        for low, high in ((STEEP, float("inf")), (FLAT, STEEP), (float("-inf"), FLAT))
    ]
    said = [grows(each) for each in groups if each]
    if said:
        yield f"{name} at T {last}: {'; '.join(said)}."


def _is_named(each: Growth) -> bool:
    return each.exponent is not None and each.shares[-1] >= LEAST_NAMED


def grows(alike: Sequence[Growth]) -> str:
    """As "bmm, exp grow with T^1.9 to T^2.1 and make up 93 %"."""
    names = [shown(each.name) for each in alike]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    share = percent(sum(each.shares[-1] for each in alike))
    exponents = [each.exponent for each in alike if each.exponent is not None]
    ends = dict.fromkeys(f"T^{each:.1f}" for each in (min(exponents), max(exponents)))
    one = len(names) == 1
    return (
        f"{', '.join(names[:MOST_NAMED])}{more} {'grows' if one else 'grow'} with "
        f"{' to '.join(ends)} and {'makes' if one else 'make'} up {share}"
    )


def _table(found: Scaling) -> Table:
    lengths = [f"ms at T {length}" for length in found.lengths]
    shares = [f"share at T {length}" for length in (found.lengths[0], found.lengths[-1])]
    head = ("operator", "exponent", *lengths, *shares)
    return Table(
        caption=f"{abbreviated(found.implementation)}: operators by length, with more than 1 % of "
        "the call at one of them.",
        head=head,
        rows=tuple(_row(each) for each in found.operators),
        shown=len(head),
        names=(
            "operator", "exponent", *(f"ms_at_{length}" for length in found.lengths),
            *(f"share_at_{length}" for length in (found.lengths[0], found.lengths[-1])),
        ),
    )  # fmt: skip


def _row(each: Growth) -> Row:
    exponent = each.exponent
    shares = (each.shares[0], each.shares[-1])
    return Row(
        (
            Value(shown(each.name)),
            figure(exponent, "" if exponent is None else f"{exponent:.2f}", "-"),
            *(figure(ms, milliseconds(ms)) for ms in each.took_ms),
            *(figure(share, percent(share)) for share in shares),
        )
    )
