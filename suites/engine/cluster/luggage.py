"""The files of a run that travel to nodes, and their paths on either side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from suites.engine.local_session import ROOT
from suites.records.plan import Entry, Plan

OF_PROGRAM: Final = "program:"
"""Precedes the path of a file of this program, relative to its root."""
_FILE: Final = re.compile(r"[^\[\]()=,:]+?\.py(?![\w.])")
"""A path of a Python file within a spec."""


@dataclass(slots=True)
class Luggage:
    """Files of the driver by their relative paths on a node, as `file-0/my_attention.py`."""

    _places: dict[str, str] = field(default_factory=dict)

    def with_files(self, spec: str) -> str:
        """A spec with the paths of its files on a node; the files will travel.

        A path that is no file here is left: it may be one on the node.
        """

        def place(match: re.Match[str]) -> str:
            path = Path(match[0])
            return self.place(str(path.resolve())) if path.is_file() else match[0]

        return _FILE.sub(place, spec)

    def place(self, path: str) -> str:
        """The path on a node of a file that will travel."""
        if path not in self._places:
            self._places[path] = f"file-{len(self._places)}/{Path(path).name}"
        return self._places[path]

    def packed(self) -> dict[str, bytes]:
        """The bytes of the files by their paths on a node."""
        return {place: Path(path).read_bytes() for path, place in self._places.items()}

    def sent(self, plan: Plan) -> Plan:
        """A plan of the driver with the paths of a node; its files will travel."""

        def place(path: str) -> str:
            if (own := _of_program(path, ROOT)) or not Path(path).is_file():
                return own or path
            return self.place(path)

        return _with_paths(plan, place)

    def received(self, plan: Plan) -> Plan:
        """A plan that a node made with the paths of the driver."""
        ours = {place: path for path, place in self._places.items()}

        def path(place: str) -> str:
            if place.startswith(OF_PROGRAM):
                return str(ROOT / place.removeprefix(OF_PROGRAM))
            return ours.get(place, place)

        return _with_paths(plan, path)


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files that came with a job below a folder of the node."""
    for place, data in files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def arrived(plan: Plan, places: Iterable[str], folder: Path) -> Plan:
    """A plan that the driver sent with the absolute paths of this node."""
    known = set(places)

    def path(place: str) -> str:
        if place.startswith(OF_PROGRAM):
            return str(ROOT / place.removeprefix(OF_PROGRAM))
        return str(folder / place) if place in known else place

    return _with_paths(plan, path)


def returned(plan: Plan, folder: Path) -> Plan:
    """A plan of this node as it travels to the driver."""

    def place(path: str) -> str:
        if own := _of_program(path, ROOT):
            return own
        inside = Path(path).is_relative_to(folder)
        return str(Path(path).relative_to(folder)) if inside else path

    return _with_paths(plan, place)


def _of_program(path: str, root: Path) -> str:
    """The path of a file of impls/ or suites/ relative to the root; empty for another one."""
    for room in ("impls", "suites"):
        if Path(path).is_relative_to(root / room):
            return f"{OF_PROGRAM}{Path(path).relative_to(root)}"
    return ""


def _with_paths(plan: Plan, path: Callable[[str], str]) -> Plan:
    def entry(each: Entry) -> Entry:
        return replace(each, files={name: path(file) for name, file in each.files.items()})

    inputs = tuple(replace(each, path=path(each.path)) for each in plan.inputs)
    return replace(plan, entries=tuple(map(entry, plan.entries)), inputs=inputs)
