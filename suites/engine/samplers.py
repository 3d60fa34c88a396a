"""How the calls of each problem on a GPU are timed: decided once, for all of its sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from impls.interface import Problem
from suites.records.record import Record

Name = Literal["graph", "events"]


@dataclass(slots=True)
class Samplers:
    """The sampler of every problem: the first session that times it decides.

    Times by a CUDA graph and times by events are not compared: the gaps between calls differ.
    """

    _names: dict[Problem, Name] = field(default_factory=dict)
    _uncapturable: dict[Problem, dict[str, str]] = field(default_factory=dict)

    def learn(self, record: Record) -> None:
        """Keep the sampler of a record of the rounds."""
        if record.in_rounds and record.clock in ("graph", "events"):
            name: Name = "graph" if record.clock == "graph" else "events"
            self._names.setdefault(record.problem, name)

    def use_events(self, problem: Problem, implementation: str, reason: str) -> None:
        """Time a problem by events from now on: an implementation cannot be captured."""
        self._names[problem] = "events"
        self._uncapturable.setdefault(problem, {})[implementation] = reason

    def of(self, problem: Problem) -> Name | Literal[""]:
        """The sampler of a problem; "" before it is decided."""
        return self._names.get(problem, "")

    def uncapturable(self, problem: Problem) -> dict[str, str]:
        """Why implementations cannot be captured, by name."""
        return self._uncapturable.get(problem, {})
