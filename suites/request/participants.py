"""The implementations that take part in a run: those that are named, or those of its suite."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impls import name_and_spec
from impls.interface import Problem
from suites.records.plan import Entry

if TYPE_CHECKING:
    from suites.request.planning import Request


def left_out(
    request: Request,
    entries: Sequence[Entry],
    problems: Sequence[Problem],
    capability: tuple[int, int] | None,
) -> tuple[str, ...]:
    """The names of those that start too slowly for the suite, where none are named.

    One that is missing, or refuses every problem, costs no time: it stays, with its reason.
    """
    if request.specs is not None or request.with_peers or request.suite.slow_starts:
        return ()
    return tuple(
        each.name
        for each in entries
        if each.slow_start
        and not each.missing
        and each.name not in request.suite.variants
        and not _is_baseline(each, request)
        and each.accepts_any(problems, capability)
    )


def of(request: Request, entries: Sequence[Entry], without: Collection[str]) -> tuple[Entry, ...]:
    """Those that are named, or those of the names, panels and variants of the suite.

    without  names that are left out
    """
    panels, names = request.suite.panels, request.suite.names
    return tuple(
        each
        for each in entries
        if request.specs is not None
        or _is_baseline(each, request)
        or (
            each.name not in without
            and (not panels or each.panel in panels)
            and (not names or each.name in names)
        )
        or each.name in request.suite.variants
    )


def _is_baseline(entry: Entry, request: Request) -> bool:
    return request.against is not None and is_meant(entry, request.against)


def is_meant(entry: Entry, spec: str) -> bool:
    """Whether NAME, NAME=SPEC, FILE.py, FILE.py:NAME or package.module:NAME means this one."""
    given = name_and_spec(spec)[0]
    if given or entry.spec:
        return entry.name == (given or spec)
    file, extension, name = spec.rpartition(".py")
    if not extension and ":" in spec:
        module, _, name = spec.partition(":")
        place = tuple(module.split("."))
        files = (Path(each).with_suffix("") for each in entry.files.values())
        return entry.name == name and any(each.parts[-len(place) :] == place for each in files)
    if not extension:
        return entry.name == spec
    path = Path(file + extension).resolve()
    own = entry.name.rpartition(".")[2]  # the file's name may precede it
    return str(path) in entry.files.values() and name.removeprefix(":") in ("", own)
