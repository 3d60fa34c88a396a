"""Prints candidates as they are judged, then the score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from impls.interface import Problem
from reports.analysis.candidates import CandidateRow, candidate_rows, is_judged
from reports.outputs.terminal.console import print_line
from suites.judging import Judged


class Printer(Protocol):
    """Prints candidates for people or for programs."""

    def begin(self, problems: Sequence[Problem]) -> None:
        """Before the first candidate."""

    def candidate(self, row: CandidateRow) -> None:
        """A candidate was judged."""

    def end(self, rows: Sequence[CandidateRow]) -> None:
        """All candidates are judged."""


def report(problems: Sequence[Problem], found: Iterable[Judged], printer: Printer) -> int:
    """Print each candidate when it is judged, and the score; the exit status.

    The status is 0, and 1 where no candidate could be judged.
    """
    rows: list[CandidateRow] = []
    printer.begin(problems)
    for candidate, run, records in found:
        for row in candidate_rows(candidate.spec, candidate.file, run, records):
            printer.candidate(row)
            rows.append(row)
    printer.end(rows)
    if is_judged(rows):
        return 0
    print_line("no candidate could be judged; the reasons are above", stderr=True)
    return 1
