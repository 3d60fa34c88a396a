"""Machines and settings of two runs: what differs, and which files changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from suites.records.plan import Entry
from suites.records.settings import labelling
from suites.records.store import Run

_FACTS: Final = (
    "cpu",
    "cores",
    "memory_bytes",
    "os",
    "python",
    "attnbench",
    "allocator",
    "cpu_capability",
    "float32_matmul_precision",
)
_OF_PAGES: Final = ("pandas", "plotly", "matplotlib")
"""Packages that have no part in a time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact of two runs with two values; None: not recorded.

    kind  machine: a fact of the machine; device, version: of one device or package; setting: an
          option of the run
    """

    kind: str
    name: str
    base: Any
    new: Any


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file of an implementation whose content differs between two runs."""

    name: str
    path: str


Fact = tuple[str, str]
"""Kind and name."""


def differences(base: Run, new: Run) -> list[Difference]:
    """What differs between the machines and settings of two runs; empty when they match."""
    ours, theirs = dict(_facts(base)), dict(_facts(new))
    return [
        Difference(kind, name, ours.get((kind, name)), theirs.get((kind, name)))
        for kind, name in {**ours, **theirs}
        if ours.get((kind, name)) != theirs.get((kind, name))
    ]


def changed_files(base: Run, new: Run) -> list[ChangedFile]:
    """The files that implementations of both runs need and that changed in between."""
    found = {}
    for ours, theirs in _both(base, new):
        for name, hashed in theirs.hashes.items():
            if ours.hashes.get(name, hashed) != hashed:
                found[name] = ChangedFile(name, theirs.files[name])
    return list(found.values())


def _both(base: Run, new: Run) -> Iterator[tuple[Entry, Entry]]:
    ours = {entry.name: entry for entry in base.plan.entries}
    return ((ours[entry.name], entry) for entry in new.plan.entries if entry.name in ours)


def _facts(run: Run) -> Iterator[tuple[Fact, Any]]:
    """Facts that have a part in a time: of the machine, and the settings that label figures."""
    machine = run.machine
    for name in _FACTS:
        yield ("machine", name), machine.get(name) or None
    for kind, name in _devices(run):
        yield ("device", kind), name
    for name, version in (machine.get("versions") or {}).items():
        if name not in _OF_PAGES:
            yield ("version", name), version or "not installed"
    yield ("setting", "--threads"), run.plan.threads
    for field, option in labelling().items():
        yield ("setting", option.name), option.shown(getattr(run.plan, field))


def _devices(run: Run) -> Iterator[tuple[str, Any]]:
    """The devices that the problems of the run are for."""
    needed = {problem.device for problem in run.plan.problems}
    for each in run.machine.get("devices") or ():
        if each.get("device") in needed:
            identity = (each.get("name"), each.get("uuid"))  # two of one model are not the same
            yield each["device"], " ".join(filter(None, identity)) or None
