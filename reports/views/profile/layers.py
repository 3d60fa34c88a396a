"""The section of a profile's page: the attention layers of a model and their share of its step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from reports.analysis.profile.layers import LayerRow, layer_rows
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.numbers import milliseconds, percent
from reports.views.problems import facets
from reports.views.profile.flame import share, short_line
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated
from reports.views.values import figure, whole
from suites.records.profile import Profile

HEADING: Final = "Attention within the model"
SITE: Final = "call site"
HEAD: Final = ("layer", SITE, "calls", "forward ms", "backward ms", "share", "by clocks")
_NAMES: Final = ("layer", "site", "calls", "forward_ms", "backward_ms", "share", "by_clocks")
APART: Final = 0.1
"""Difference of the two shares from which a sentence warns; the profiler adds time to each
operator, and a session has another moment of the machine."""
_CAPTION: Final = (
    "The attention of each layer in one profiled step, as a share of the step. “by clocks” is the "
    "same share in the sessions of the run, in which no profiler ran: the median."
)


def answers(found: ProfiledRun) -> list[str]:
    """The share of attention in the longest step, in the profile and by clocks."""
    profiles = found.on(found.longest) if found.longest else ()
    every = ((each, layer_rows(found, each)) for each in profiles)
    return [_answer(profile, rows[-1]) for profile, rows in every if rows]


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none without a model."""
    every = [(each, rows) for each in found.profiles if (rows := layer_rows(found, each))]
    if not every:
        return []
    several = len({profile.problem for profile, _ in every}) > 1
    first = ("implementation", *(["problem"] if several else []))
    made = [
        _row(profile.implementation, profile.problem, several, row)
        for profile, own in every
        for row in own
    ]
    head, names = (*first, *HEAD), (*first, *_NAMES)
    table = Table(_CAPTION, head, tuple(made), shown=len(head), names=names)
    return [Section("layers", HEADING, tuple(_apart(every)), tables=(table,))]


def cells(row: LayerRow) -> tuple[Value, ...]:
    """The cells of HEAD."""
    return (
        Value(row.layer),
        Value(short_line(row.site)),
        whole(row.calls),
        figure(row.forward_ms, milliseconds(row.forward_ms)),
        figure(row.backward_ms, milliseconds(row.backward_ms), "-"),
        figure(row.share, share(row.share)),
        figure(row.by_clocks, "" if row.by_clocks is None else share(row.by_clocks), "-"),
    )


def _row(name: str, problem: Problem, several: bool, row: LayerRow) -> Row:  # noqa: FBT001 - of the table
    own = (Value(name), *([Value(str(problem))] if several else []))
    return Row((*own, *cells(row)), facets(problem, name))


def _answer(profile: Profile, row: LayerRow) -> str:
    name = abbreviated(profile.implementation)
    clocks = "" if row.by_clocks is None else f"; by clocks in the run {share(row.by_clocks)}"
    return f"{name}: attention takes {share(row.share)} of the profiled step{clocks}."


def _apart(every: list[tuple[Profile, list[LayerRow]]]) -> Iterator[str]:
    """A sentence for each profile whose share is not that of the clocks."""
    for profile, rows in every:
        own, clocks = rows[-1].share, rows[-1].by_clocks
        if clocks is not None and abs(own - clocks) > APART:
            yield (
                f"{abbreviated(profile.implementation)} on {profile.problem}: the two shares "
                f"differ by more than {percent(APART)} of the step. Trust the clocks: the profiler "
                "adds about the same time to each operator."
            )
