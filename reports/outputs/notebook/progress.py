"""Progress of a run in a notebook: text below the cell, which is replaced as the run goes on."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

from rich.console import Console

from impls.interface import Problem
from reports.outputs.terminal.console import console
from reports.outputs.terminal.screen import Screen, fault_line
from suites.engine.time_left import TimeLeft
from suites.records.record import ANSWERS, Record

SHOWN_EVERY_S: Final = 0.5
"""Seconds between two texts at least: each is a message to the browser."""


def screen(*, quiet: bool) -> Screen:
    """Progress where this process shows it: below a notebook's cell, or in a terminal."""
    if not quiet and in_notebook():
        return NotebookScreen()
    return Screen(console(stderr=True), quiet=quiet)


def in_notebook() -> bool:
    """Whether the kernel of a notebook runs this process."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return type(found).__name__ == "ZMQInteractiveShell"


class NotebookScreen(Screen):
    """The lines of progress in one output of the cell; lines of faults stay below it."""

    def __init__(self) -> None:
        super().__init__(Console(force_jupyter=False, quiet=True))
        self._display: Any = import_module("IPython.display")
        self._handle: Any = None
        self._faults: list[str] = []
        self._shown_s = 0.0

    def start(self) -> None:
        """Begin to show."""
        self._handle = self._display.display(self._text("starting"), display_id=True)

    def stop(self) -> None:
        """Remove the lines of progress; those of faults stay."""
        if self._handle is not None:
            self._handle.update(self._text(""))

    def phase(self, text: str, total: int | None = None) -> None:
        """A phase begins; see Screen."""
        super().phase(text, total)
        self._show()

    def problem(self, problem: Problem, left: TimeLeft) -> None:
        """A problem is checked or timed from here on; see Screen."""
        super().problem(problem, left)
        self._show()

    def record(self, record: Record) -> None:
        """A record was made; see Screen."""
        super().record(record)
        if record.status not in ANSWERS:
            self._faults.append(fault_line(record).plain)
        self._show()

    def _show(self) -> None:
        now_s = self._now_s()
        if self._handle is not None and now_s - self._shown_s >= SHOWN_EVERY_S:
            self._shown_s = now_s
            self._handle.update(self._text("\n".join(filter(None, [self.line, self.details]))))

    def _text(self, lines: str) -> Any:
        """A text that a front end shows as it is; in plain text and in HTML."""
        return Lines("\n".join([*self._faults, *filter(None, [lines])]))


class Lines:
    """Text for a notebook: in a fixed-width font, without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        from markupsafe import escape  # noqa: PLC0415 - a terminal needs none

        return f"<pre>{escape(self.text)}</pre>" if self.text else ""

    def __repr__(self) -> str:
        return self.text
