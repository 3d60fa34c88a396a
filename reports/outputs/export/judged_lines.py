"""Judged candidates as lines of JSON: one for each as soon as it is judged, then the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from impls.interface import Problem
from reports.analysis.candidates import CandidateRow, ProblemRow, score
from reports.outputs.export.json_lines import Out, write_line
from reports.views.judged import reason_of


class JsonLines:
    """Writes judged candidates.

    baseline  its name
    by        the part by which a candidate must be faster to score
    """

    def __init__(self, out: Out, baseline: str, by: float) -> None:
        self._out, self._baseline, self._by = out, baseline, by

    def begin(self, problems: Sequence[Problem]) -> None:
        """Every line names its problems: there is no line for the beginning."""

    def candidate(self, row: CandidateRow) -> None:
        """The line of a candidate."""
        write_line(self._out, "candidate", of_candidate(row, self._by))

    def end(self, rows: Sequence[CandidateRow]) -> None:
        """The last line: the score over all candidates, and that of each."""
        each = [{**_named(row), **_score([row], self._by)} for row in rows]
        settings = {"baseline": self._baseline, "faster_by": self._by}
        write_line(self._out, "score", {**settings, **_score(rows, self._by), "candidates": each})


def of_candidate(row: CandidateRow, by: float) -> dict[str, Any]:
    """A candidate, its verdict, its score, and its problems."""
    return {
        **_named(row),
        "sha256": row.digest,
        "run": row.run,
        "verdict": row.judgement,
        **_score([row], by),
        "problems": [_of_problem(each, by) for each in row.rows],
    }


def _of_problem(row: ProblemRow, by: float) -> dict[str, Any]:
    return {
        "problem": row.problem,
        "verdict": row.judgement,
        "right": row.right,
        "faster": row.faster(by),
        "ratio": row.ratio,
        "low": row.low,
        "high": row.high,
        "cause": row.cause,
        "reason": reason_of(row),
        "slip": row.slip,
        "cure": row.cure,
        "notes": row.notes,
    }


def _named(row: CandidateRow) -> dict[str, Any]:
    return {"candidate": row.spec, "implementation": row.implementation}


def _score(rows: Sequence[CandidateRow], by: float) -> dict[str, Any]:
    found = score(rows, by)
    return {**found._asdict(), "score": found.value}
