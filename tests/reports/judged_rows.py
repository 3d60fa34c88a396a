"""Judged candidates made up in code, for tests of what prints them."""

from __future__ import annotations

from typing import Any, Final

from impls.interface import Problem
from reports.analysis.candidates import CandidateRow, Judgement, ProblemRow

SHORT: Final = Problem.parse("h2 t64 d16")
LONG: Final = Problem.parse("h2 t128 d16 causal")


def row(judgement: Judgement, problem: Problem = SHORT, **fields: Any) -> ProblemRow:
    """A candidate on one problem."""
    return ProblemRow(problem=problem, judgement=judgement, **fields)


def timed(judgement: Judgement, ratio: float, problem: Problem = SHORT) -> ProblemRow:
    """A ratio whose interval is 10 % wide on either side."""
    return row(judgement, problem, ratio=ratio, low=0.9 * ratio, high=1.1 * ratio)


def candidate(*rows: ProblemRow, spec: str = "mine.py", label: str = "") -> CandidateRow:
    """A candidate on all problems."""
    return CandidateRow(
        spec=spec,
        implementation="attend",
        label=label or spec,
        digest="0123456789abcdef",
        run="judge-mine-1",
        rows=rows,
    )
