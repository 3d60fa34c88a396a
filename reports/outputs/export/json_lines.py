"""A run as lines of JSON while it goes on: one object for each record when it is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from reports.outputs.export.json_data import plain
from reports.outputs.streams import OutputError
from suites.records.codec import to_data
from suites.records.record import Record

KINDS: Final = ("record", "run")
"""The kinds of lines: records as they are stored, and the run at the end."""


class Out(Protocol):
    """A file, a pipe or standard output."""

    def write(self, text: str, /) -> object:
        """Take a text."""

    def flush(self) -> None:
        """Hand on what was written."""


class Stream:
    """Listens to a run and writes each record as it is stored, then the summary of the run."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def phase(self, text: str, total: int | None = None) -> None:
        """A phase begins; the sessions of its records identify it."""

    def record(self, record: Record) -> None:
        """A record was stored: its line, with the fields of the store.

        Raises OutputError where the line cannot be written: the run stops.
        """
        try:
            self._write("record", to_data(record))
        except OutputError as error:
            raise OutputError(
                f"{error}; the run stopped, its records are stored; finish with: "
                "python run_bench.py run --resume"
            ) from error

    def run(self, summary: Mapping[str, Any]) -> None:
        """The last line: the run as `report --json` prints it."""
        self._write("run", summary)

    def _write(self, kind: str, data: Mapping[str, Any]) -> None:
        write_line(self._out, kind, data)


def write_line(out: Out, kind: str, data: Mapping[str, Any]) -> None:
    """Write one line, flushed at once for readers that wait for it."""
    line = {"kind": kind, **plain(data)}
    out.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
    out.flush()
