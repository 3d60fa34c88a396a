"""Time in attention per step: of every implementation, of the best one and of the best mix.

A step is the cases of a plan that share `Case.step`. Its time is the sum of count times time over
these cases, summed in each session. docs/measuring.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Literal

import numpy as np

from reports.analysis.sums import choosing
from reports.analysis.sums.choosing import Choice, Chosen, Policy
from reports.analysis.sums.estimates import Estimate, Saving, estimated, saved
from reports.analysis.sums.interpolation import Array
from reports.analysis.sums.times import Neighbours, Timed, Times, Untimed, processes_of
from reports.analysis.verdicts import between_floor
from reports.rows.families import without_length
from reports.rows.panels import APPROXIMATIONS, panels_of
from suites.records.cases import Case, Step, Unexpressed

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis

Kind = Literal["now", "alone", "mix"]
"""What a sum is of: what the script uses now, one implementation for all cases, or a mix."""


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

    @property
    def sums(self) -> tuple[StepSum, ...]:
        """All sums: now, the mix, and each one alone."""
        return tuple(filter(None, (self.now, self.mix))) + self.alone


def steps(analysis: Analysis) -> list[StepRow]:
    """A row for each step and number of threads; empty for a run without steps."""
    plan = analysis.plan
    panel = _panel(analysis)
    recorded = {each.name: each for each in plan.steps}
    return [
        _row(Times(analysis, threads, panel), panel, step, recorded.get(step), cases)
        for step, cases in _by_step(plan.cases, recorded)
        for threads in plan.threads
    ]


def _by_step(cases: Sequence[Case], recorded: Iterable[str]) -> list[tuple[str, list[Case]]]:
    """The cases by step, recorded steps first; cases of no step are left out."""
    found: dict[str, list[Case]] = {name: [] for name in recorded}
    for case in cases:
        if case.step:
            found.setdefault(case.step, []).append(case)
    return list(found.items())


def _panel(analysis: Analysis) -> str:
    """The first panel with times, attention before layers; not of the approximations."""
    timed = {row.panel for row in analysis.measurements}
    every = [each for each in panels_of(analysis.plan) if not each.startswith(APPROXIMATIONS)]
    return next((each for each in every if each in timed), next(iter(every), ""))


def _row(
    times: Times, panel: str, step: str, recorded: Step | None, cases: Sequence[Case]
) -> StepRow:
    every = [times.of(case) for case in cases]
    timed = [each for each in every if isinstance(each, Timed)]
    row = StepRow(
        step=step,
        threads=times.threads,
        panel=panel,
        cases=tuple(map(_case, timed)),
        left_out=tuple(each for each in every if isinstance(each, Untimed)),
        took_ms=median(recorded.took_ms) if recorded and recorded.took_ms else None,
        unexpressed=recorded.unexpressed if recorded else (),
    )
    return _Sums(times, timed, row.took_ms).into(row) if timed else row


def _case(timed: Timed) -> StepCase:
    found = {
        name: estimated(own[np.isfinite(own)].tolist(), timed.errors.get(name, 0.0))
        for name, own in timed.ms.items()
    }
    ordered = dict(sorted(found.items(), key=lambda each: each[1].value))
    return StepCase(case=timed.case, times=ordered, current=timed.current, between=timed.between)


class _Sums:
    """The sums of the timed cases of one step.

    ms  [cases, names, sessions], milliseconds of one call; NaN for none
    """

    def __init__(self, times: Times, timed: Sequence[Timed], took_ms: float | None) -> None:
        self.times, self.timed, self.took_ms = times, timed, took_ms
        self.names = [name for name in times.entries if any(name in each.ms for each in timed)]
        self.places = {name: place for place, name in enumerate(self.names)}
        self.counts = np.array([each.case.count for each in timed])
        nothing = np.full(len(times.sessions), np.nan)
        self.ms = np.array([[each.ms.get(name, nothing) for name in self.names] for each in timed])

    def into(self, row: StepRow) -> StepRow:
        """The row with its sums."""
        now = self._now
        complete = [n for n in self.names if all(n in each.ms for each in self.timed)]
        alone = [self._sum("alone", self._all(name)) for name in complete]
        best = self._chosen(choosing.single, self._allowed_alone(complete))
        mix = self._chosen(choosing.mix, self._allowed)
        return replace(
            row,
            now=self._sum("now", now) if now is not None else None,
            alone=tuple(sorted(filter(None, alone), key=lambda each: each.time.value)),
            lacking=tuple(self._lacking(complete)),
            best=self._sum("alone", best) if best else None,
            mix=self._sum("mix", mix) if mix else None,
            mix_saving=self._saving(best, mix) if best and mix else None,
        )

    @cached_property
    def _now(self) -> Chosen | None:
        return self._of(np.array([self.places[each.current] for each in self.timed]))

    def _all(self, name: str) -> Chosen | None:
        return self._of(np.full(len(self.timed), self.places[name]))

    def _of(self, choice: Choice) -> Chosen | None:
        """A choice that is made beforehand; None where no session has all of its times."""
        sums = choosing.total(self.ms, self.counts, choice)
        return Chosen(choice, sums) if np.isfinite(sums).any() else None

    def _chosen(self, policy: Policy, allowed: Array) -> Chosen | None:
        found = choosing.chosen(self.ms, self.counts, allowed, policy)
        return found if found is not None and np.isfinite(found.sums).any() else None

    @cached_property
    def _allowed(self) -> Array:
        """1 for one implementation of each kernel, and NaN for the others [cases, names]."""
        rivals = [each.rivals - self._unpaired(each) for each in self.timed]
        return np.array([[1.0 if n in own else np.nan for n in self.names] for own in rivals])

    def _allowed_alone(self, complete: Sequence[str]) -> Array:
        """The same for one that answers all cases: it is a rival on some of them."""
        some = np.isfinite(self._allowed).any(axis=0)
        own = [1.0 if n in complete and some[self.places[n]] else np.nan for n in self.names]
        return np.tile(own, (len(self.timed), 1))

    def _unpaired(self, timed: Timed) -> set[str]:
        """Implementations whose times do not pair with the current one's: threads not bound."""
        problems = timed.between or (timed.case.problem,)
        return {
            name
            for name in timed.ms
            for problem in problems
            if name != timed.current
            and any(record.unbound for record in self.times.records(problem, name))
            and len(processes_of(self.times, timed, (name, timed.current))) > 1
        }

    def _lacking(self, complete: Sequence[str]) -> Iterator[Lacking]:
        for name, entry in self.times.entries.items():
            if name not in complete and not entry.missing:
                cases = tuple(each.case for each in self.timed if name not in each.ms)
                yield Lacking(name=name, cases=cases)

    def _sum(self, kind: Kind, found: Chosen | None) -> StepSum | None:
        if found is None:
            return None
        by_case = self._by_case(found.choice)
        error = self._interpolation_ms([(found.choice, 1.0)]) / sum(by_case)
        sums = found.sums[np.isfinite(found.sums)]
        return StepSum(
            kind=kind,
            names=tuple(self.names[place] for place in found.choice),
            time=estimated(sums.tolist(), error),
            by_case=by_case,
            saving=self._saving(self._now, found) if kind != "now" and self._now else None,
        )

    def _by_case(self, choice: Choice) -> tuple[float, ...]:
        """Milliseconds of each case in a step: the geometric mean over the sessions."""
        own = self.ms[np.arange(len(choice)), choice]
        return tuple((self.counts * np.exp(np.nanmean(np.log(own), axis=1))).tolist())

    def _saving(self, now: Chosen, then: Chosen) -> Saving | None:
        both = np.isfinite(now.sums) & np.isfinite(then.sums)
        if not both.any():
            return None
        further = (self._floor_ms(now.choice, then.choice), self._difference_ms(now, then))
        made = saved(now.sums[both].tolist(), then.sums[both].tolist(), further)
        return replace(made, of_step=made.ms.over(self.took_ms)) if self.took_ms else made

    def _floor_ms(self, now: Choice, then: Choice) -> float:
        """The noise floor of the cases whose implementation changes."""
        return sum(
            took * self._floor(timed, self.names[one], self.names[other])
            for timed, took, one, other in zip(
                self.timed, self._by_case(now), now, then, strict=True
            )
            if one != other
        )

    def _floor(self, timed: Timed, *names: str) -> float:
        """The noise floor of the run, within a process or between processes; 0 without twins."""
        analysis = self.times.analysis
        if len(processes_of(self.times, timed, names)) > 1:
            return between_floor(analysis.timed) or analysis.floor or 0.0
        return analysis.floor or 0.0

    def _difference_ms(self, now: Chosen, then: Chosen) -> float:
        """The error of interpolation of the cases whose implementation changes."""
        changed = now.choice != then.choice
        return self._interpolation_ms([(each.choice, changed) for each in (now, then)])

    def _interpolation_ms(self, choices: Sequence[tuple[Choice, Array | float]]) -> float:
        """The half-width that interpolation adds to a sum, milliseconds of a step.

        Errors of one implementation on problems that differ in length only have the same sign, and
        add up; others are independent.
        """
        found: dict[Hashable, float] = {}
        for choice, of_case in choices:
            weights = np.broadcast_to(of_case, len(choice))
            took = self._by_case(choice)
            for timed, place, ms, weight in zip(self.timed, choice, took, weights, strict=True):
                name = self.names[place]
                kind = (name, without_length(timed.case.problem))
                error = float(weight) * ms * timed.errors.get(name, 0.0)
                found[kind] = found.get(kind, 0.0) + error
        return float(np.linalg.norm(list(found.values())))
