"""Runs of several machines side by side.

Every ratio is of one machine. Times of two machines are shown beside each other, not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from string import ascii_uppercase
from typing import Final

from impls.interface import Problem
from reports.analysis.differences import Difference, differences
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import VerdictRow
from reports.rows.measurements import Measurement
from reports.rows.outcomes import Outcome
from reports.rows.panels import panels_of
from suites.records.groups import kind_of
from suites.records.record import Record
from suites.records.store import Run

MOST: Final = len(ascii_uppercase)
"""Runs on one page: each has a letter."""
_HARDWARE: Final = ("cpu", "cores", "memory_bytes")
"""Facts that identify a machine, with the names of its devices."""
_MEMORY: Final = 0.02
"""Relative difference of memory sizes that one machine reports: a kernel reserves a part of it."""

Pair = tuple[Problem, str]
"""A problem and an implementation."""


@dataclass(frozen=True)
class Side:
    """A run with its label on the page; figures are those with its most threads.

    label  a letter, or of a run RUN@KIND its kind of machine
    """

    label: str
    analysis: Analysis

    @property
    def run(self) -> Run:
        """The run."""
        return self.analysis.run

    @cached_property
    def measurements(self) -> dict[Pair, Measurement]:
        """The measurements by problem and implementation."""
        return {(row.problem, row.implementation): row for row in self.analysis.with_most_threads}

    @cached_property
    def verdicts(self) -> dict[Pair, VerdictRow]:
        """The verdicts by problem and implementation."""
        most = self.analysis.most_threads
        return {
            (row.problem, row.implementation): row
            for row in self.analysis.verdicts
            if row.threads == most
        }

    @cached_property
    def baselines(self) -> set[Pair]:
        """The baselines of its verdicts, each with its problem."""
        return {(row.problem, row.baseline) for row in self.verdicts.values()}

    @cached_property
    def outcomes(self) -> dict[Pair, Outcome]:
        """How each answer ended."""
        return {(row.problem, row.implementation): row for row in self.analysis.outcomes}


@dataclass(frozen=True)
class Machines:
    """Runs of several machines, in the order they were named."""

    sides: tuple[Side, ...]

    @cached_property
    def panels(self) -> dict[str, list[Pair]]:
        """What any of them has measured, by panel: attention first, the largest problems first."""
        rows = {pair: row.panel for side in self.sides for pair, row in side.measurements.items()}
        names = dict.fromkeys(p for side in self.sides for p in panels_of(side.analysis.plan))
        found = {
            name: sorted(
                (pair for pair in rows if rows[pair] == name), key=lambda each: -each[0].flops
            )
            for name in names
        }
        return {name: pairs for name, pairs in found.items() if pairs}

    @cached_property
    def differences(self) -> list[tuple[Side, Side, Difference]]:
        """What differs between the first run and each of the others."""
        first, *others = self.sides
        return [
            (first, other, each) for other in others for each in differences(first.run, other.run)
        ]


def machines(stored: Iterable[tuple[Run, list[Record]]]) -> Machines:
    """Runs with their records side by side. Raises ValueError for too many, and for one twice."""
    every = list(stored)
    names = [run.name for run, _ in every]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"the run {twice[0]} is named twice; expected each run once")
    if len(every) > MOST:
        raise ValueError(f"{len(every)} runs side by side; expected {MOST} at most")
    letters = zip(ascii_uppercase, every, strict=False)
    return Machines(tuple(Side(letter, Analysis(*each)) for letter, each in letters))


def kinds(stored: Iterable[tuple[Run, list[Record]]]) -> Machines:
    """The runs RUN@KIND of a group side by side, each with the label of its kind of machine."""
    return Machines(tuple(Side(kind_of(run.name), Analysis(run, own)) for run, own in stored))


def are_of_one_machine(runs: Sequence[Run]) -> bool:
    """Whether CPU, cores, memory and devices of all runs are alike."""
    return all(_is_same(*pair) for pair in combinations(runs, 2))


def _is_same(base: Run, new: Run) -> bool:
    return not any(_is_of_hardware(each) for each in differences(base, new))


def _is_of_hardware(found: Difference) -> bool:
    """Whether a difference is one of hardware: a device that only one run used is none."""
    if found.kind == "device":
        return bool(found.base and found.new)
    if found.kind != "machine" or found.name not in _HARDWARE:
        return False
    if found.name == "memory_bytes" and found.base and found.new:
        return abs(found.base - found.new) > _MEMORY * max(found.base, found.new)
    return True
