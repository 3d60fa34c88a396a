"""A run and what is derived from it: each table is made when it is first asked for, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from reports import tables
from reports.judging import verdicts
from reports.judging.verdicts import Timed
from reports.sections import Section
from reports.words import RUN_ENDED
from suites.records.record import Record
from suites.records.store import Run

Rows = list[dict[str, Any]]
"""Rows of a table, an empty cell as None."""


class Analysis:
    """What the parts of a report have in common; the columns are those of the tables themselves."""

    def __init__(self, run: Run, records: Iterable[Record]) -> None:
        self.run, self.plan, self.records = run, run.plan, list(records)
        self.further: tuple[Section, ...] = ()
        """Parts that the page shows besides those it makes itself, as the history of a run."""

    @cached_property
    def measurements(self) -> Rows:
        """As `tables.measurements` tells them."""
        return tables.rows_of(tables.measurements(self.run, self.records))

    @cached_property
    def outcomes(self) -> Rows:
        """As `tables.outcomes` tells them."""
        return tables.rows_of(tables.outcomes(self.run, self.records))

    @cached_property
    def not_measured(self) -> Rows:
        """As `tables.not_measured` tells them."""
        return tables.rows_of(tables.without_time(self.run, self.outcomes))

    @cached_property
    def verdicts(self) -> Rows:
        """As `verdicts.verdicts` tells them."""
        return tables.rows_of(verdicts.verdicts(self.run, self.records))

    @cached_property
    def timed(self) -> Timed:
        """Records with times, by problem and threads, then by implementation."""
        return verdicts.timed(self.run, self.records)

    @cached_property
    def floor(self) -> float | None:
        """What identical code may differ by in this run, relative; None without a twin."""
        return verdicts.run_floor(self.run, self.records)

    @property
    def with_most_threads(self) -> Rows:
        """The measurements with the plan's largest number of threads."""
        return tables.with_most_threads(self.run, self.measurements)

    @property
    def unfinished(self) -> bool:
        """Whether the run ended before its plan: an answer or a session of one is not there."""
        if self.run.ended is not None:
            return False
        if any(row["reason"] == RUN_ENDED for row in self.not_measured):
            return True
        planned = sum(row["timed"] for row in self.outcomes) * len(self.run.plan.session_numbers)
        return sum(row["sessions"] for row in self.measurements) < planned
