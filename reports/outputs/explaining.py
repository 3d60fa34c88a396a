"""Report the explanation of a method: write page and images, print the steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from reports.outputs import drawing
from reports.outputs.export.json_data import plain
from reports.outputs.folder import RESULTS
from reports.outputs.html import picture_page
from reports.outputs.terminal.console import print_json, print_line, print_paths, print_tables
from reports.outputs.terminal.picture_text import picture_text
from reports.views.explained.page import picture
from suites.records.codec import to_data

NAME: Final = "explanation.html"


def folder_of(name: str) -> Path:
    """The folder of the page where none is named."""
    return RESULTS / f"explain-{name}"


def report(name: str, found: Any, command: str, out: Path | None, *, as_json: bool) -> None:
    """Write the page, and print the steps or JSON."""
    shown = picture(found, command)
    folder = out or folder_of(name)
    made = None if drawing.missing() else picture_page.write(shown, folder, NAME)
    if as_json:
        print_json(plain({"answer": shown.answer, "notes": shown.notes, **to_data(found)}))
    else:
        print_tables(picture_text(shown))
        print_paths([*made.charts, made.page] if made else [])
    if made is None:
        print_line(drawing.without_charts(), stderr=True)
