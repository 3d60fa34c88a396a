"""Report the attention weights of an implementation: write page and images, print the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from rich.console import RenderableType
from rich.text import Text

from reports.outputs import drawing
from reports.outputs.export.json_data import plain
from reports.outputs.folder import RESULTS
from reports.outputs.html import picture_page
from reports.outputs.terminal.console import print_json, print_line, print_paths, print_tables
from reports.outputs.terminal.heat_text import fits, heat_text, legend
from reports.views.weights import maps, page, sentences
from suites.records.codec import to_data
from suites.records.store import Run
from suites.records.weights import Weights

NAME: Final = "weights.html"
MOST_IN_TERMINAL: Final = 2
"""Heads that are drawn as text."""
_AGREEING: Final = 1e-3
"""Differences below this are drawn as none, where all weights agree or lie within it."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9_.+-]+")


def folder_of(implementation: str) -> Path:
    """The folder of the page where none is named."""
    return RESULTS / f"show-{_OTHER.sub('_', implementation).strip('_')}"


def report(run: Run, found: Weights, out: Path | None, *, as_json: bool) -> int:
    """Write the page, and print the answer or JSON; the exit status: 1 without weights."""
    if as_json:
        print_json(of_weights(found))
    if found.fault:
        print_line(sentences.answer(found), stderr=True)
        return 1
    folder = out or folder_of(found.implementation)
    shown = page.picture(run, found)
    made = None if drawing.missing() else picture_page.write(shown, folder, NAME)
    if not as_json:
        print_tables(_lines(found))
        print_paths([*made.charts, made.page] if made else [])
    if made is None:
        print_line(drawing.without_charts(), stderr=True)
    return 0


def of_weights(found: Weights) -> dict[str, Any]:
    """The weights as data, with the sentences about them."""
    said = [] if found.fault else sentences.notes(found)
    made = {"answer": sentences.answer(found), "notes": said, **to_data(found)}
    return cast("dict[str, Any]", plain(made))


def _lines(found: Weights) -> Iterator[RenderableType]:
    """The answer, small heat maps, and the notes."""
    yield Text(sentences.answer(found), style="bold")
    small = [each for each in maps.heats(found) if fits(each)]
    for each in small[:MOST_IN_TERMINAL]:
        yield from heat_text(each, off=_least(found))
    if small:
        yield Text(legend(small[0]))
    for note in sentences.notes(found):
        yield Text(note)


def _least(found: Weights) -> float:
    """The smallest difference that the text shows."""
    named = maps.worst(found)
    return min(_AGREEING, abs(named.off) / 2) if named and named.off else _AGREEING
