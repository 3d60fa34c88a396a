"""Judged candidates: the verdict on each problem, and the share that is right and faster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import AcrossRow, VerdictRow
from reports.rows.answers import STATES, Ending, State
from reports.rows.outcomes import Outcome, missing_time
from suites.records.record import ANSWERS, Record
from suites.records.store import Run
from suites.stats.verdicts import WORDS, Word

SAME_KERNEL: Final = "same kernel"
Judgement = Word | State | Literal["another function", "same kernel"]
"""The verdict on a ratio; the state where no time was taken; that it computes another function, or
that it ran the kernel of the baseline: then it is neither faster nor slower, but called otherwise.
"""
UNJUDGED: Final[tuple[Judgement, ...]] = ("missing", "not_reached", "not judged")
"""Judgements that say nothing about a candidate's attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRow:
    """A candidate on one problem.

    ratio, low, high  its time over the baseline's, with the 95 % interval; None: not timed
    cause             of a state, from the closed set of records
    reason            why no time was taken, or why there is no verdict; else empty
    slip, cure        the key of the common slip that explains it, and what to change; else empty
    notes             how it was called, in words
    across            the ratio, where it computes another function; None elsewhere
    """

    problem: Problem
    judgement: Judgement
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    cause: Ending = ""
    reason: str = ""
    slip: str = ""
    cure: str = ""
    notes: str = ""
    across: AcrossRow | None = None

    @property
    def right(self) -> bool:
        """Whether it agrees with the reference of the baseline, and was timed."""
        return self.judgement in WORDS or self.judgement == SAME_KERNEL

    def faster(self, by: float) -> bool:
        """Whether the whole interval is below 1 / (1 + by): a speed-up of more than 1 + by."""
        return self.judgement == "faster" and self.high is not None and self.high * (1 + by) < 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """A candidate on all problems.

    spec            the file as given
    implementation  its name in the run
    label           the file, with the implementation where the file has several
    digest          SHA-256 of the file, first 16 digits; empty for a missing one
    run             the name of the run that measured it
    """

    spec: str
    implementation: str
    label: str
    digest: str
    run: str
    rows: tuple[ProblemRow, ...]

    @property
    def judgement(self) -> Judgement | Literal["mixed"]:
        """The most severe fault on any problem; without one, what all problems share, or mixed."""
        found = [row.judgement for row in self.rows]
        for fault in STATES:
            if fault not in ANSWERS and fault in found:
                return fault
        return found[0] if len(set(found)) == 1 else "mixed"


class Score(NamedTuple):
    """How many answers are right, and how many are right and faster, of how many."""

    right: int
    faster: int
    answers: int

    @property
    def value(self) -> float:
        """fast_p of KernelBench (arXiv 2502.10517): the share that is right and faster by p."""
        return self.faster / self.answers if self.answers else 0.0


def candidate_rows(
    spec: str, file: Path, run: Run, records: Iterable[Record]
) -> list[CandidateRow]:
    """One row for each implementation of a candidate's file that is not the baseline."""
    analysis = Analysis(run, records)
    own = [
        entry
        for entry in run.plan.entries
        if entry.name != run.plan.baseline
        and (entry.missing or str(file.resolve()) in entry.files.values())
    ]
    return [
        CandidateRow(
            spec=spec,
            implementation=entry.name,
            label=f"{spec}:{entry.name}" if len(own) > 1 else spec,
            digest=entry.hashes.get(entry.name.partition("[")[0], ""),
            run=run.name,
            rows=tuple(_rows(analysis, entry.name)),
        )
        for entry in own
    ]


def score(rows: Iterable[CandidateRow], by: float) -> Score:
    """The score of all problems of all these candidates.

    by  the part by which a candidate must be faster: 0.5 is a speed-up of 1.5
    """
    every = [row for each in rows for row in each.rows]
    faster = sum(row.faster(by) for row in every)
    return Score(sum(row.right for row in every), faster, len(every))


def best_first(rows: Iterable[CandidateRow], by: float) -> list[CandidateRow]:
    """The candidates with a score above 0, the highest first."""
    scored = [row for row in rows if score([row], by).faster]
    return sorted(scored, key=lambda row: -score([row], by).value)


def is_judged(rows: Iterable[CandidateRow]) -> bool:
    """Whether any candidate was judged on any problem."""
    return any(row.judgement not in UNJUDGED for each in rows for row in each.rows)


def _rows(analysis: Analysis, name: str) -> list[ProblemRow]:
    baseline = analysis.plan.baseline
    beside = {
        row.problem: row
        for row in (*analysis.verdicts, *analysis.across)
        if (row.implementation, row.baseline) == (name, baseline)
    }
    own = (each for each in analysis.outcomes if each.implementation == name)
    return [_row(analysis, outcome, beside.get(outcome.problem)) for outcome in own]


def _row(analysis: Analysis, outcome: Outcome, beside: VerdictRow | None) -> ProblemRow:
    problem, notes = outcome.problem, outcome.notes
    if untimed := missing_time(analysis.run, outcome):
        return _untimed(outcome, *untimed)
    if beside is None:
        why = _baseline_reason(analysis, problem)
        return ProblemRow(problem=problem, judgement="not judged", reason=why, notes=notes)
    across = beside if isinstance(beside, AcrossRow) else None
    return ProblemRow(
        problem=problem,
        notes=notes,
        judgement="another function" if across else _word(beside),
        ratio=beside.ratio,
        low=beside.low,
        high=beside.high,
        reason="; ".join(beside.reasons),
        across=across,
    )


def _word(beside: VerdictRow) -> Judgement:
    """The verdict; for the baseline's kernel once more, only whether the call made it slower."""
    is_gain = beside.verdict != "slower"
    return SAME_KERNEL if beside.same_kernel and is_gain else beside.verdict


def _untimed(outcome: Outcome, state: State, cause: Ending) -> ProblemRow:
    return ProblemRow(
        problem=outcome.problem,
        judgement=state,
        cause=cause,
        reason=outcome.reason,
        slip=outcome.slip,
        cure=outcome.cure,
        notes=outcome.notes,
    )


def _baseline_reason(analysis: Analysis, problem: Problem) -> str:
    """Why the baseline has no time on a problem."""
    baseline = analysis.plan.baseline
    found: Sequence[Outcome] = [
        outcome
        for outcome in analysis.outcomes
        if (outcome.problem, outcome.implementation) == (problem, baseline)
    ]
    return f"the baseline {baseline} has no time: {found[0].reason if found else 'not in the run'}"
