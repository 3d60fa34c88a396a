"""The last lines of a run: faults, the answer, and what noise allows to conclude."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import indented
from reports.outputs.terminal.grid_tables import STYLES
from reports.views import answer, headline, steps, verdicts
from reports.views.headline import Fault
from reports.views.text import LONGEST_TEXT, abbreviated, counted, readable

MOST_FAULTS: Final = 5
"""Faults with cause and cure; more are counted."""
MOST_STEPS: Final = 6
"""Steps; more are counted."""
_MOST_LINES: Final = 6
"""Lines of one cause; the page has the rest."""


def ending(analysis: Analysis, *, every: bool) -> list[RenderableType]:
    """Faults in red with cause and cure, steps, a sentence for each mask or panel, then the noise.

    every  all faults, and the verdicts counted
    """
    found = headline.faults(analysis)
    shown = found if every else found[:MOST_FAULTS]
    left = len(found) - len(shown)
    more = f"{counted(left, 'more fault')}: --all has them"
    concluded = verdicts.conclusions(analysis, counts=every)
    blocks: tuple[Sequence[RenderableType], ...] = (
        [
            *(line for fault in shown for line in _fault(fault)),
            *([Text(more, style=STYLES["wrong"])] if left else []),
        ],
        *_steps(analysis),
        [_answer(sentence) for sentence in answer.sentences(analysis)],
        [Text(sentence) for sentence in concluded],
    )
    return [line for block in blocks if block for line in (Text(""), *block)]


def _steps(analysis: Analysis) -> Iterator[list[RenderableType]]:
    """The lines of each step, its main sentence first; further steps are counted."""
    found = steps.lines(analysis)
    for main, *others in found[:MOST_STEPS]:
        yield [_answer(main), *(indented(Text(line)) for line in others)]
    if len(found) > MOST_STEPS:
        yield [Text(f"{counted(len(found) - MOST_STEPS, 'more step')}: on the page.")]


def _fault(fault: Fault) -> Iterator[RenderableType]:
    yield Text(fault.said, style=STYLES["wrong"])
    lines = [abbreviated(line, LONGEST_TEXT) for line in readable(fault.why).split("\n")]
    for line in [*lines[:_MOST_LINES], *(["…"] if len(lines) > _MOST_LINES else [])]:
        yield indented(Text(line))
    if fault.cure:
        yield indented(Text(abbreviated(f"cure: {fault.cure}", LONGEST_TEXT), style="bold"))


def _answer(sentence: str) -> Text:
    """A sentence with its label, the mask or the panel, in bold."""
    label, colon, rest = sentence.partition(": ")
    return Text.assemble((f"{label}{colon}", "bold"), rest) if colon else Text(sentence)
