"""A run and what is derived from it: each table is computed when it is first needed, and kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from reports.analysis import tails, verdicts
from reports.analysis.ranking.crossovers import Crossover, crossovers
from reports.analysis.ranking.ranking import Ranking, rankings
from reports.analysis.ranking.ratios import Place, Ratios, ratios_of
from reports.analysis.steps import steps
from reports.analysis.sums.rows import StepRow
from reports.analysis.tails import TailRow
from reports.analysis.verdicts import AcrossRow, VerdictRow
from reports.rows import answers, measurements, outcomes
from reports.rows.answers import Timed
from reports.rows.measurements import Measurement
from reports.rows.outcomes import Outcome, missing_time
from suites.records.record import Pair, Record
from suites.records.store import Run


class Analysis:
    """The tables that the parts of a report share."""

    def __init__(self, run: Run, records: Iterable[Record]) -> None:
        self.run, self.plan, self.records = run, run.plan, list(records)

    @cached_property
    def measurements(self) -> list[Measurement]:
        """Every problem, implementation and number of threads with times."""
        return measurements.measurements(self.run, self.records)

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """How every planned answer ended."""
        return outcomes.outcomes(self.run, self.records)

    @cached_property
    def verdicts(self) -> list[VerdictRow]:
        """Every implementation against the baseline of its problem."""
        return verdicts.verdicts(self.plan, self.timed, self.same_kernels)

    @cached_property
    def across(self) -> list[AcrossRow]:
        """Implementations of other panels against the baseline that --against names."""
        errors = {
            (row.problem, row.implementation): row.evidence.relative_error
            for row in self.measurements
        }
        return verdicts.across(self.plan, self.timed, errors)

    @cached_property
    def tails(self) -> list[TailRow]:
        """Percentiles of single calls; empty for a run without --tail."""
        return tails.tails(self.plan, self.timed)

    @cached_property
    def steps(self) -> list[StepRow]:
        """Time in attention per step; empty for a run without steps."""
        return steps(self)

    @cached_property
    def timed(self) -> Timed:
        """Records with times, by problem and threads, then by implementation."""
        return answers.timed(self.run, self.records)

    @cached_property
    def floor(self) -> float | None:
        """The noise floor of the run, relative; None without a twin."""
        return verdicts.run_floor(self.timed)

    @cached_property
    def ratios(self) -> Mapping[Place, Ratios]:
        """Log ratios of all implementations of a panel, session by session."""
        return ratios_of(self)

    @cached_property
    def rankings(self) -> dict[Place, Ranking]:
        """The fastest and its rivals on every problem; not of the approximations."""
        return rankings(self, self.ratios)

    @cached_property
    def crossovers(self) -> list[Crossover]:
        """Where the order of two implementations changes; changes of the fastest come first."""
        return crossovers(self, self.ratios)

    @cached_property
    def same_kernels(self) -> dict[Pair, str]:
        """By problem and implementation, the one that ran the same kernel, and is ranked."""
        rows = self.measurements
        return {(r.problem, r.implementation): r.same_kernel for r in rows if r.same_kernel}

    @property
    def most_threads(self) -> int:
        """The plan's largest number of threads."""
        return max(self.plan.threads)

    @cached_property
    def with_most_threads(self) -> list[Measurement]:
        """The measurements with the plan's largest number of threads."""
        return [row for row in self.measurements if row.threads == self.most_threads]

    @property
    def unfinished(self) -> bool:
        """Whether the run ended before its plan: an answer or one of its sessions is missing."""
        if self.run.ended is not None:
            return False
        missing = (missing_time(self.run, row) for row in self.outcomes)
        if any(each is not None and each[1] == "run_ended" for each in missing):
            return True
        planned = sum(row.timed for row in self.outcomes) * len(self.plan.session_numbers)
        return sum(row.sessions for row in self.measurements) < planned
