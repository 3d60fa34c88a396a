"""The content of the page of `explain`."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from reports.views.explained import chunked, local_window, multi_head, naive
from reports.views.picture import Picture
from suites.explaining.steps import DenseSoftmax, Layer, OnlineSoftmax, Strips

_WORDS: Final[dict[type, ModuleType]] = {
    OnlineSoftmax: chunked,
    DenseSoftmax: naive,
    Strips: local_window,
    Layer: multi_head,
}
"""The words of each method."""


def picture(found: Any, command: str) -> Picture:
    """The answer, the steps and the pictures of a method."""
    words = _WORDS[type(found)]
    return Picture(
        title=f"{words.TITLE}, {found.problem}",
        answer=words.answer(found),
        notes=tuple(words.notes(found)),
        sections=tuple(words.sections(found)),
        command=command,
        facts=[],
        stamp="attnbench",
    )
