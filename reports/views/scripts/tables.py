"""A script's time in attention as tables: by line, and by problem of a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.call_sites import Calls, CallSite, CallSites
from reports.views.numbers import milliseconds
from reports.views.scripts.names import functions, labels, problem, problems
from reports.views.scripts.sentences import OUTSIDE, SET_UP, calls_text, one
from reports.views.sections import Row, Table, Value

NOT_SEEN: Final = "not seen"
"""Stands for the time of backward passes that were not timed."""
_FIRST: Final = "a first call counts like the mean of the later ones"
_LEAST_SHARE: Final = 0.001
"""A smaller share is shown as less than this."""


def backward(each: Calls | CallSite, found: CallSites) -> Value:
    """The time of backward passes: empty without one, `not seen` where it was not timed."""
    if each.backward_ms is None:
        return Value(NOT_SEEN if each.unseen else "", float("nan"))
    took = found.each(each.backward_ms)
    return Value(f"{'>' if each.unseen else ''}{milliseconds(took)}", took)


def total(each: Calls | CallSite, found: CallSites) -> Value:
    """Forward and backward; a lower bound where a backward pass is not seen."""
    took = found.each(each.total_ms)
    return Value(f"{'>' if each.unseen else ''}{milliseconds(took)}", took)


def share(part: float, *, least: bool = False) -> Value:
    """A share as a cell, to a tenth of a percent."""
    small = 0 < part < _LEAST_SHARE
    text = f"<{100 * _LEAST_SHARE:.1f}" if small else f"{100 * part:.1f}"
    return Value(f"{'>' if least and not small else ''}{text} %", part)


def ms(value: float | None) -> Value:
    """Milliseconds as a cell; empty where they are not known."""
    return Value(milliseconds(value), float("nan") if value is None else value)


def site_table(found: CallSites) -> Table:
    """A row for each line, the longest time first, and one for the time outside attention."""
    several = len(functions(found)) > 1
    library = any(site.library for site in found.sites)
    head = (
        "line",
        "total ms",
        "share",
        "cumulative",
        _calls_head(found),
        "forward ms",
        "backward ms",
        "first call ms",
        "problem",
        *(["function"] if several else []),
        *(["line of the library"] if library else []),
    )
    rows = [*_site_rows(found, several=several, library=library), *_other_rows(found, len(head))]
    by = "" if several else f" Every call is of {functions(found)[0]}."
    caption = f"One row per line. Times are of {one(found)}; {_FIRST}.{by}"
    return Table(caption, head, tuple(rows), shown=len(head))


def _site_rows(found: CallSites, *, several: bool, library: bool) -> Iterator[Row]:
    names, sum_ms = labels(found.sites), 0.0
    for site in found.sites:
        sum_ms += site.total_ms
        yield Row(
            (
                Value(names[site.place]),
                total(site, found),
                share(found.share(site.total_ms), least=site.unseen),
                share(found.share(sum_ms)),
                count(site, found),
                ms(found.each(site.forward_ms)),
                backward(site, found),
                ms(site.first_ms),
                Value(problems(site)),
                *([Value(", ".join(site.functions))] if several else []),
                *([Value(site.library)] if library else []),
            )
        )


def _other_rows(found: CallSites, columns: int) -> Iterator[Row]:
    """The time that no line has: set-up, where it is part of the whole, and all else."""
    whole_ms = found.whole_ms or 1.0
    for name, took_ms in others(found).items():
        until = share(1.0 if name == OUTSIDE else 1.0 - found.outside_ms / whole_ms)
        cells = (Value(name), ms(took_ms), share(took_ms / whole_ms), until, *(ms(None),) * 4)
        yield Row((*cells, *(Value(""),) * (columns - len(cells))))


def others(found: CallSites) -> dict[str, float]:
    """Milliseconds that no line has, by name; that outside attention is last."""
    set_up = {SET_UP: found.set_up_ms} if found.set_up_ms else {}
    return {**set_up, OUTSIDE: found.outside_ms}


def problem_table(found: CallSites) -> Table:
    """A row for each problem of each line, the longest time first."""
    names = labels(found.sites)
    head = (
        "line",
        "problem",
        "total ms",
        "share",
        _calls_head(found),
        "forward ms",
        "backward ms",
        "forward ms per call",
        "first call ms",
        "function",
    )
    rows = (
        Row(
            (
                Value(names[each.place]),
                Value(problem(each)),
                total(each, found),
                share(found.share(each.total_ms), least=each.unseen),
                count(each, found),
                ms(found.each(each.forward_ms)),
                backward(each, found),
                ms(each.later_ms),
                ms(each.first_ms),
                Value(each.by),
            )
        )
        for each in found.calls
    )
    caption = f"One row per problem of a line. Times are of {one(found)}; {_FIRST}."
    return Table(caption, head, tuple(rows), shown=len(head))


def count(each: Calls | CallSite, found: CallSites) -> Value:
    """Calls of a step or of the script."""
    calls = found.each(each.count)
    return Value(calls_text(calls), calls)


def _calls_head(found: CallSites) -> str:
    return "calls per step" if found.has_steps else "calls in all"
