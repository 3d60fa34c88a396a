"""The chart of memory over a profiled call: a step line for each implementation of a problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.profile.memory import Timeline, timeline
from reports.rows.panels import ATTENTION
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import NEUTRAL, Look
from reports.views.numbers import mebibytes, milliseconds, percent
from reports.views.problems import without
from suites.records.profile import Profile

KEY: Final = "profile_memory"
TITLE: Final = "Bytes held over the profiled call"
_PEAK: Final = Look(*NEUTRAL[0], "diamond-tall", "solid")
_MIB: Final = 2**20

Named = tuple[str, Timeline]
"""The name of an implementation, and its timeline."""


def chart(
    problem: Problem,
    profiles: Sequence[Profile],
    looks: Mapping[str, Look],
    shared: frozenset[str],
) -> Chart:
    """The chart of a problem: over milliseconds; where two are compared, over shares of the call.

    shared  words that all problems of the page have
    """
    made = [(each.implementation, timeline(each)) for each in profiles]
    lines = [(name, line) for name, line in made if line is not None]
    shares = len(lines) > 1
    return Chart(
        key=KEY,
        panel=ATTENTION,
        title=TITLE,
        label=without(problem, shared),
        common="",
        mask=str(problem.mask),
        x_title="share of the profiled call, %" if shares else "ms of the profiled call",
        y_title="MiB above the inputs",
        log_x=False,
        log_y=False,
        series=(*(_steps(each, looks, shares=shares) for each in lines), _peaks(lines, shares)),
        note=" ".join(_note(problem, lines, shares=shares)),
        alt=f"{TITLE}, {problem}: {'; '.join(map(_words, lines))}.",
        ticks=False,
    )


def _at(line: Timeline, place: int, *, shares: bool) -> float:
    """The position of a step on the x axis."""
    at = line.times_ms[place]
    return 100 * at / line.took_ms if shares and line.took_ms else at


def _steps(named: Named, looks: Mapping[str, Look], *, shares: bool) -> Series:
    """The line of an implementation: each step as its two corners."""
    name, line = named
    corners = list(_corners(line, shares=shares))
    return Series(
        name=name,
        x=tuple(x for x, _ in corners),
        y=tuple(held / _MIB for _, held in corners),
        low=(),
        high=(),
        hover=(),
        look=looks[name],
        implementation=name,
        drawn="bare",
    )


def _corners(line: Timeline, *, shares: bool) -> Iterator[tuple[float, int]]:
    held = line.bytes[0]
    for place, then in enumerate(line.bytes):
        at = _at(line, place, shares=shares)
        if place:
            yield at, held
        yield at, then
        held = then
    yield 100.0 if shares else line.took_ms, held


def _peaks(lines: Sequence[Named], shares: bool) -> Series:  # noqa: FBT001 - of the whole chart
    """A mark at each peak."""
    return Series(
        name="peak",
        x=tuple(_at(line, line.peak, shares=shares) for _, line in lines),
        y=tuple(line.bytes[line.peak] / _MIB for _, line in lines),
        low=(),
        high=(),
        hover=tuple(map(_words, lines)),
        look=_PEAK,
        drawn="points",
    )


def _words(named: Named) -> str:
    name, line = named
    at = f"{milliseconds(line.times_ms[line.peak])} ms, {percent(line.peak_share)} of its call"
    return f"{name}: peak {mebibytes(line.bytes[line.peak])} MiB at {at}"


def _note(problem: Problem, lines: Sequence[Named], *, shares: bool) -> Iterator[str]:
    yield "A step is an allocation or a release; the mark is the peak."
    if problem.device == "cuda":
        yield "The time is that of the host, which launches kernels before they run."
    if shares:
        took = ", ".join(f"{name} {milliseconds(line.took_ms)} ms" for name, line in lines)
        yield f"Each profiled call spans the whole axis: {took}."
