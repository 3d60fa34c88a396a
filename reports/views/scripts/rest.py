"""The time of a script's step outside attention, by kind of operator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.call_sites import CallSites
from reports.analysis.step_rest import UNCOVERED, Kind, kinds
from reports.views.numbers import milliseconds, percent
from reports.views.scripts.tables import ms, share
from reports.views.sections import Row, Section, Table, Value
from suites.recording.raw_files import ProfiledStep

AFTER: Final = 3
"""Steps before the one that is profiled."""
HEADING: Final = "What a step spends its time in"
_MOST_NAMED: Final = 3
"""Kinds that a sentence names."""


def sections(found: CallSites) -> Iterator[Section]:
    """The section of a profiled step; none where no step was profiled."""
    step = found.found.profiled
    if step is not None:
        yield Section("rest", HEADING, (sentence(found, step),), tables=(table(step),))


def unprofiled_step(found: CallSites) -> str:
    """Why no step was profiled; empty where one was."""
    if found.found.profiled is not None:
        return ""
    needed = f"expected a script with {AFTER + 1} steps of an optimizer or more"
    return f"attnbench: --rest: no step was profiled: {found.found.unprofiled or needed}"


def sentence(found: CallSites, step: ProfiledStep) -> str:
    """The kinds of most time, and how much longer the profiled step took."""
    largest = kinds(step)[:_MOST_NAMED]
    said = ", ".join(f"{percent(each.ms / step.took_ms)} {each.name}" for each in largest)
    return (
        f"One later step under torch's profiler: {said}. It took {milliseconds(step.took_ms)} ms, "
        f"a step without the profiler takes {milliseconds(found.took_ms)} ms: read shares, not "
        "times."
    )


def table(step: ProfiledStep) -> Table:
    """A row for each kind of operators, the longest time first."""
    head = ("kind", "share", "total ms", "forward ms", "backward ms", "operators of most time")
    rows = tuple(_row(each, step) for each in kinds(step))
    caption = "One row per kind of operators of the profiled step. Times are self times on the CPU."
    return Table(caption, head, rows, shown=len(head))


def _row(kind: Kind, step: ProfiledStep) -> Row:
    return Row(
        (
            Value(kind.name),
            share(kind.ms / step.took_ms),
            ms(kind.ms),
            ms(kind.by_phase.get("forward")),
            ms(kind.by_phase.get("backward")),
            Value("" if kind.name == UNCOVERED else ", ".join(kind.operators)),
        )
    )
