"""A run as lines of JSON while it goes on: one object for each record, when it is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from reports.printing.plain import plain
from suites.records.record import Record, to_json

KINDS: Final = ("record", "run")
"""What a line tells of, under `kind`: records as they are stored, and at the end the run."""


class Out(Protocol):
    """Where lines go: a file, a pipe, standard output."""

    def write(self, text: str, /) -> object:
        """Take a text."""

    def flush(self) -> None:
        """Hand on what was taken."""


class Stream:
    """Listens to a run and writes each record as it is stored, then the run's summary."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def phase(self, text: str, total: int | None = None) -> None:
        """A phase begins: its records tell of it, by their session."""

    def record(self, record: Record) -> None:
        """A record was stored: its line, with the fields of the store."""
        self._write("record", to_json(record))

    def run(self, summary: Mapping[str, Any]) -> None:
        """The last line: the run as `report --json` tells it."""
        self._write("run", summary)

    def _write(self, kind: str, data: Mapping[str, Any]) -> None:
        """One line, handed on at once: who reads it may be waiting."""
        told = {"kind": kind, **plain(data)}
        self._out.write(json.dumps(told, separators=(",", ":"), allow_nan=False) + "\n")
        self._out.flush()
