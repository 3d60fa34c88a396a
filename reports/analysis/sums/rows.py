"""Rows of time in attention per step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reports.analysis.sums.estimates import Estimate, Saving
from reports.analysis.sums.times import Neighbours, Untimed
from suites.records.cases import Case, Unexpressed

Kind = Literal["now", "alone", "mix"]
"""The subject of a sum: the current functions, one implementation for all cases, or a mix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCase:
    """One case of a step.

    times    milliseconds of one call, by implementation, the fastest first
    current  the implementation that it has now: that of its script, else the baseline
    between  the measured problems that its times are interpolated from; None: it is measured
    """

    case: Case
    times: Mapping[str, Estimate]
    current: str
    between: Neighbours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSum:
    """The time in attention of one step.

    names    the implementation of each case, in the order of the cases
    time     milliseconds of a step
    saving   against what the cases have now; None for that itself
    by_case  milliseconds of a step that each case takes, all its calls together
    """

    kind: Kind
    names: tuple[str, ...]
    time: Estimate
    by_case: tuple[float, ...]
    saving: Saving | None = None

    @property
    def name(self) -> str:
        """The implementation of all cases; empty where there are several."""
        return self.names[0] if len(set(self.names)) == 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitution:
    """Another implementation for cases whose problems differ in length or padding only.

    cases   positions of the cases in the step
    now     what they have now
    name    what replaces it
    saving  of the whole step
    """

    cases: tuple[int, ...]
    now: str
    name: str
    saving: Saving


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """An implementation without a sum: it has no time on some cases."""

    name: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step, with one number of threads.

    step         its name; empty for cases that name none
    cases        with a time of some implementation; every sum is over these
    left_out     cases without any time, each with the reason: they are in no sum
    now          what the cases have now
    alone        each implementation that answers all cases, the fastest first
    lacking      implementations that do not answer all
    best         of those alone, chosen and timed in different sessions; None: none answers all
    mix          for each case the fastest, chosen and timed in different sessions
    mix_saving   of the mix against the best one alone; None without it
    took_ms      median wall time of a recorded step; None: not recorded
    unexpressed  recorded calls that no problem expresses
    single_changes  each implementation in place of what some cases have now, alone
    in_layers    whether savings are differences of times inside layers
    """

    step: str
    threads: int
    panel: str
    cases: tuple[StepCase, ...]
    left_out: tuple[Untimed, ...]
    now: StepSum | None = None
    alone: tuple[StepSum, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    best: StepSum | None = None
    mix: StepSum | None = None
    mix_saving: Saving | None = None
    took_ms: float | None = None
    unexpressed: tuple[Unexpressed, ...] = ()
    single_changes: tuple[Substitution, ...] = ()
    in_layers: bool = False

    @property
    def recorded_ms(self) -> float | None:
        """The recorded time of the cases in one step; None: not known of all."""
        found = [(each.case.count, each.case.took_ms) for each in self.cases]
        known = [count * took for count, took in found if took is not None]
        return sum(known) if found and len(known) == len(found) else None

    @property
    def recorded_ratio(self) -> float | None:
        """The recorded time of the cases that have one, over their time now; None without any."""
        if self.now is None:
            return None
        both = [
            (each.case.count * each.case.took_ms, ms)
            for each, ms in zip(self.cases, self.now.by_case, strict=True)
            if each.case.took_ms is not None
        ]
        return sum(took for took, _ in both) / sum(ms for _, ms in both) if both else None

    @property
    def sums(self) -> tuple[StepSum, ...]:
        """All sums: now, the mix, and each one alone."""
        return tuple(filter(None, (self.now, self.mix))) + self.alone
