"""The process that measures each implementation of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from impls import name_and_spec
from suites.records.plan import Entry

ASKED: Final = "--apart names it"


def assigned(entries: Sequence[Entry], apart: Sequence[str]) -> tuple[Entry, ...]:
    """The entries, those that are apart with a process of their own.

    apart  names of implementations besides those that declare it

    Raises ValueError for a name that is none of them.
    """
    names = [entry.name for entry in entries]
    for each in apart:
        if each not in names:
            raise ValueError(
                f"--apart {each!r} is none of the implementations of this run: {', '.join(names)}"
            )
    return tuple(_assigned(entry, asked=entry.name in apart) for entry in entries)


def _assigned(entry: Entry, *, asked: bool) -> Entry:
    why = entry.apart or (ASKED if asked else "")
    return replace(entry, apart=why, process=entry.process or entry.name) if why else entry


def with_pythons(
    specs: Sequence[str], given: Mapping[str, str], revisions: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The processes of specs that need one of their own, and the interpreters of processes.

    given      interpreters by the name of the implementation
    revisions  the processes of files at revisions, by spec

    Raises ValueError for the name of an interpreter that no spec has.
    """
    named = {name_and_spec(spec)[0] or spec: spec for spec in specs}
    own, pythons = dict(revisions), {}
    for name, python in given.items():
        if name not in named:
            known = ", ".join(named) or "none: name it with --impl"
            raise ValueError(f"--python names {name!r}; the implementations are {known}")
        process = " ".join(filter(None, [own.get(named[name], ""), f"by {python}"]))
        own[named[name]], pythons[process] = process, python
    return own, pythons


def are_split(entries: Sequence[Entry]) -> bool:
    """Whether they are measured in more than one process."""
    return len({entry.process for entry in entries if not entry.missing}) > 1
