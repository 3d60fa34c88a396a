"""The process that measures each implementation of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

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
    return tuple(
        replace(entry, process=entry.name, apart=entry.apart or ASKED)
        if entry.name in apart
        else entry
        for entry in entries
    )


def are_split(entries: Sequence[Entry]) -> bool:
    """Whether they are measured in more than one process."""
    return len({entry.process for entry in entries if not entry.missing}) > 1
