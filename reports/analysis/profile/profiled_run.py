"""A run with its profiles, problem by problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import VerdictRow
from reports.rows.measurements import Measurement
from suites.records.profile import ROOT, Profile


@dataclass(frozen=True, slots=True)
class ProfiledRun:
    """A run with its profiles.

    profiles  in the order of the problems; at most two of a problem, the second is of --against
    """

    analysis: Analysis
    profiles: tuple[Profile, ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The profiled problems, each once, in their order."""
        return tuple(dict.fromkeys(each.problem for each in self.profiles))

    @property
    def names(self) -> tuple[str, ...]:
        """The profiled implementations, each once."""
        return tuple(dict.fromkeys(each.implementation for each in self.profiles))

    @property
    def faults(self) -> tuple[Profile, ...]:
        """Profiles of implementations that failed."""
        return tuple(each for each in self.profiles if each.fault)

    @property
    def longest(self) -> Problem | None:
        """The problem with the longest profiled call; None without a problem."""
        return max(self.problems, key=self.longest_ns, default=None)

    def longest_ns(self, problem: Problem) -> int:
        """The longest profiled call on a problem; 0 without one."""
        return max((each.nodes[ROOT].total_ns for each in self.on(problem)), default=0)

    def measurement(self, profile: Profile) -> Measurement | None:
        """The measured figures of what was profiled; None where it has no times."""
        return next((row for row in self.analysis.measurements if _is_of(row, profile)), None)

    def verdict(self, profile: Profile) -> VerdictRow | None:
        """Its verdict against the baseline; None for the baseline, and without times."""
        rows = (*self.analysis.verdicts, *self.analysis.across)
        return next((row for row in rows if _is_of(row, profile)), None)

    def on(self, problem: Problem) -> Sequence[Profile]:
        """The profiles of a problem that have a call tree."""
        return [each for each in self.profiles if each.problem == problem and each.nodes]


def _is_of(row: Measurement | VerdictRow, profile: Profile) -> bool:
    own = (profile.problem, profile.implementation, profile.threads)
    return (row.problem, row.implementation, row.threads) == own
