"""Judged candidates in a terminal: a line for each as soon as it is judged, then the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from impls.interface import Problem
from reports.analysis.candidates import CandidateRow
from reports.outputs.terminal.console import print_text
from reports.outputs.terminal.screen import Screen
from reports.outputs.terminal.verdict_tables import STYLES
from reports.views import judged
from reports.views.text import LONGEST_TEXT, abbreviated
from suites.records.record import Record

_WIDTH: Final = len("same within noise")
"""Of the column of verdicts."""
_FAULTS: Final = dict.fromkeys(("wrong", "failed", "crashed"), "red")


class Lines:
    """Prints judged candidates.

    labels    the candidates as given: the longest sets the width of the first column
    baseline  its name
    by        the part by which a candidate must be faster to score
    """

    def __init__(self, console: Console, labels: Sequence[str], baseline: str, by: float) -> None:
        self._console, self._baseline, self._by = console, baseline, by
        self._width = max(map(len, ["candidate", *labels]))

    def begin(self, problems: Sequence[Problem]) -> None:
        """Print what the ratios are."""
        said = judged.introduction(problems, self._baseline)
        head = f"{'candidate'.ljust(self._width)}  {'verdict'.ljust(_WIDTH)}  {said}, cause"
        print_text(Text(head, style="bold"), self._console)

    def candidate(self, row: CandidateRow) -> None:
        """Print the line of a candidate: verdict, ratios, cause."""
        print_text(line(row, self._width, self._by), self._console)

    def end(self, rows: Sequence[CandidateRow]) -> None:
        """Print the score."""
        for sentence in judged.sentences(rows, self._baseline, self._by):
            print_text(Text(sentence), self._console)


class CandidateScreen(Screen):
    """Progress of one candidate of many; its faults stand in its line."""

    def __init__(self, console: Console, name: str, *, quiet: bool = False) -> None:
        super().__init__(console, quiet=quiet)
        self._name = name

    def phase(self, text: str, total: int | None = None) -> None:
        """A phase of the candidate's run begins."""
        super().phase(f"{self._name}: {text}", total)

    def record(self, _: Record) -> None:
        """A record was made: one step."""
        self.advance()


def line(row: CandidateRow, width: int, by: float) -> Text:
    """The line of a candidate: file and function, verdict, score, ratios, cause."""
    word = judged.word(row.judgement)
    style = {**STYLES, **_FAULTS}.get(row.judgement, "")
    several = len(row.rows) > 1
    parts = [judged.own_score(row, by) if several else "", judged.ratios(row)]
    cause = abbreviated(judged.cause(row), LONGEST_TEXT)
    return Text("  ").join(
        [
            Text(abbreviated(row.label).ljust(width)),
            Text(word.ljust(_WIDTH), style=style),
            *(Text(part) for part in parts if part),
            *([Text(cause, style="dim")] if cause else []),
        ]
    )
