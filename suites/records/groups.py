"""Runs over several kinds of machine: one run for each kind, named RUN@KIND.

RUN is then the name of a group: it stands for all of these runs. Nothing else of a group is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

MARK: Final = "@"
"""Between the name of a group and the kind of machine."""


def name_on(group: str, kind: str) -> str:
    """The name of the run of a group on one kind of machine."""
    return f"{group}{MARK}{kind}"


def group_of(run: str) -> str:
    """The group that the name of a run names; empty for a run of its own."""
    group, _, kind = run.partition(MARK)
    return group if kind else ""


def kind_of(run: str) -> str:
    """The kind of machine that the name of a run names; empty for a run of its own."""
    return run.partition(MARK)[2] if group_of(run) else ""


def members(name: str, runs: Iterable[str]) -> tuple[str, ...]:
    """The runs that a name stands for: the run of this name, or else those of this group."""
    every = tuple(runs)
    return (name,) if name in every else tuple(run for run in every if group_of(run) == name != "")


def together(runs: Sequence[str]) -> list[tuple[str, ...]]:
    """Runs of their own and groups, in the order of the newest run of each.

    runs  the names, oldest first
    """
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        group = group_of(run)
        key = ("group", group) if group else ("run", run)
        found[key] = [*found.pop(key, []), run]
    return [tuple(each) for each in found.values()]
