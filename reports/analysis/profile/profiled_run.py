"""A run with its profiles, problem by problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from suites.records.profile import Profile


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

    def on(self, problem: Problem) -> Sequence[Profile]:
        """The profiles of a problem that have a call tree."""
        return [each for each in self.profiles if each.problem == problem and each.nodes]
