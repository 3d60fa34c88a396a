"""Times of all cases of a step: measured, or interpolated over length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from impls.interface import Problem
from reports.analysis.sums import in_layers
from reports.analysis.sums.interpolation import Array, between, half_width
from reports.analysis.sums.script_costs import PAGE_BYTES
from reports.rows.timings import session_ms
from suites.records.cases import Case
from suites.records.lengths import alike
from suites.records.record import CHECK, Pair, Record
from suites.records.workload import is_pinned, measured_by

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis

Neighbours = tuple[Problem, Problem]
"""The measured problems with the next smaller and the next larger length."""
_NO_TIME: Final = "no implementation has a time"
_NOT_MEASURED: Final = "its problem is not measured, nor are two that differ from it in length only"


@dataclass(frozen=True, slots=True)
class Timed:
    """The times of one case.

    ms       by implementation, one for each session; NaN where a session has none
    in_layer what one call takes more than the current one's, inside layers, by
             implementation and session; empty where no layers were measured
    errors   half-widths of the interpolation in logarithms; empty where the case is measured
    between  the neighbours; None where it is measured
    same     implementations that ran the kernel of another one, with that one's name
    current  the implementation that the script uses now: its own, or the baseline
    """

    case: Case
    ms: Mapping[str, Array]
    current: str
    in_layer: Mapping[str, Array] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    between: Neighbours | None = None
    same: Mapping[str, str] = field(default_factory=dict)

    @property
    def rivals(self) -> set[str]:
        """One implementation for each kernel: the current one where it ran that kernel."""
        own = self.same.get(self.current, self.current)
        return {
            name
            for name in self.ms
            if name == self.current or (name not in self.same and name != own)
        }


@dataclass(frozen=True, slots=True)
class Untimed:
    """A case without a time of any implementation, and the reason."""

    case: Case
    reason: str


class Times:
    """The times of one run with one number of threads, in one panel."""

    def __init__(self, analysis: Analysis, threads: int, panel: str) -> None:
        self.analysis, self.plan, self.threads = analysis, analysis.plan, threads
        own = (each for each in self.plan.session_numbers)
        self.sessions = [each for each in own if self.plan.threads_of(each) == threads]
        self.entries = {each.name: each for each in self.plan.entries if each.panel == panel}

    def of(self, case: Case) -> Timed | Untimed:
        """The times of a case, or the reason why it has none."""
        problem = case.problem
        if problem in self.measured:
            return self._timed(case, self.measured[problem])
        if problem in self.plan.problems:
            return Untimed(case, _NO_TIME)
        return self._interpolated(case)

    @cached_property
    def measured(self) -> dict[Problem, dict[str, Array]]:
        """Times by problem and implementation [sessions]; NaN where a session has none."""
        return {
            problem: own
            for (problem, threads), found in self.analysis.timed.items()
            if threads == self.threads
            and (own := {n: self._by_session(found[n]) for n in found if n in self.entries})
        }

    def records(self, problem: Problem, name: str) -> Sequence[Record]:
        """The records with times."""
        return self.analysis.timed.get((problem, self.threads), {}).get(name, [])

    def pages(self, timed: Timed, name: str) -> tuple[float, float]:
        """Pages of memory that a call of a case adds, and pages that it mapped within layers.

        For an interpolated case the means of its neighbours.
        """
        problems = timed.between or (timed.case.problem,)
        added = [self._added.get((each, name), 0) / PAGE_BYTES for each in problems]
        mapped = [
            record.in_layer_faults
            for each in problems
            for record in self.records(each, name)
            if record.in_layer_faults is not None
        ]
        return fmean(added), fmean(mapped) if mapped else 0.0

    @cached_property
    def _added(self) -> dict[Pair, int]:
        """Bytes that a call adds and gives back: requested, or resident where those are unseen."""
        return {each.pair: _added(each) for each in self.analysis.records if each.session == CHECK}

    def _by_session(self, records: Sequence[Record]) -> Array:
        found = {record.session: session_ms(record) for record in records}
        values = np.array([found.get(each, np.nan) for each in self.sessions])
        return np.asarray(np.where(values > 0, values, np.nan))

    def _timed(self, case: Case, ms: Mapping[str, Array]) -> Timed:
        known = {name: own for name, own in _offered(case, ms) if np.isfinite(own).any()}
        same = {
            name: other
            for name in known
            if (other := self.analysis.same_kernels.get((case.problem, name))) in known
        }
        current = self._current(case, known)
        found = {name: self.records(case.problem, name) for name in known}
        in_layer = in_layers.differences(found, current, self.sessions)
        return Timed(case, known, current, in_layer, same=same)

    def _current(self, case: Case, ms: Mapping[str, Array]) -> str:
        wanted = measured_by(case.by)
        return wanted if wanted in ms else self.plan.baseline_of(ms.keys(), case.problem.device)

    @cached_property
    def _families(self) -> dict[object, dict[int, Problem]]:
        """Measured problems by what they share beside length, then by length."""
        found: dict[object, dict[int, Problem]] = {}
        for problem in self.measured:
            found.setdefault(alike(problem), {})[problem.key_length] = problem
        return found

    def _interpolated(self, case: Case) -> Timed | Untimed:
        problem, length = case.problem, case.problem.key_length
        family = self._families.get(alike(problem), {})
        shorter = [each for each in family if each < length]
        longer = [each for each in family if each > length]
        if len(family) < 2:
            return Untimed(case, _NOT_MEASURED)
        if not (shorter and longer):
            return Untimed(
                case,
                f"length {length} is outside the measured {min(family)} to {max(family)}",
            )
        ends = (max(shorter), min(longer))
        names = list(self._able(problem, *(family[each] for each in ends)))
        if not names:
            return Untimed(case, _NO_TIME)
        return self._from_neighbours(case, family, ends, names)

    def _able(self, problem: Problem, *neighbours: Problem) -> Iterator[str]:
        """Implementations with times of all neighbours whose limits accept the problem."""
        for name, entry in self.entries.items():
            timed = all(name in self.measured[each] for each in neighbours)
            if timed and not entry.refusals(problem, self.plan.capability):
                yield name

    def _from_neighbours(
        self,
        case: Case,
        family: Mapping[int, Problem],
        ends: tuple[int, int],
        names: Sequence[str],
    ) -> Timed | Untimed:
        ms, errors, length = {}, {}, case.problem.key_length
        for name in (name for name, _ in _offered(case, dict.fromkeys(names))):
            times = {
                each: own[name]
                for each, problem in family.items()
                if name in (own := self.measured[problem]) and np.isfinite(own[name]).any()
            }
            found = between(length, *ends, times) if set(ends) <= times.keys() else None
            if found is not None and np.isfinite(found).any():
                ms[name], errors[name] = found, half_width(length, *ends, times)
        if not ms:
            return Untimed(case, _NO_TIME)
        lower, upper = (family[each] for each in ends)
        current = self._current(case, ms)
        return Timed(
            case=case,
            ms=ms,
            current=current,
            in_layer=self._in_layer_between(length, family, ends, tuple(ms), current),
            errors=errors,
            between=(lower, upper),
            same=self._same(ms, lower, upper),
        )

    def _in_layer_between(
        self,
        length: int,
        family: Mapping[int, Problem],
        ends: tuple[int, int],
        names: Sequence[str],
        current: str,
    ) -> dict[str, Array]:
        """The differences with a layer, from the times of both neighbours."""
        found: dict[str, Array] = {}
        for name in names:
            own = (in_layers.medians(self.records(family[e], name), self.sessions) for e in ends)
            times = {end: ms for end, ms in zip(ends, own, strict=True) if ms is not None}
            if len(times) == len(ends):
                found[name] = between(length, *ends, times)
        base = found.get(current)
        return {} if base is None else {name: own - base for name, own in found.items()}

    def _same(self, ms: Mapping[str, Array], lower: Problem, upper: Problem) -> dict[str, str]:
        """The same kernels of both neighbours."""
        known = self.analysis.same_kernels
        found = {name: known.get((lower, name), "") for name in ms}
        return {
            name: other
            for name, other in found.items()
            if other in ms and known.get((upper, name)) == other
        }


def _offered(case: Case, by_name: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The implementations without `sdpa` where the script allows one backend of torch only.

    There `sdpa` would run that backend, too.
    """
    return ((n, each) for n, each in by_name.items() if n != "sdpa" or not is_pinned(case.by))


def _added(check: Record) -> int:
    if check.peak_bytes is None:
        return check.resident_bytes or 0
    return check.peak_bytes - (check.kept_bytes or 0)


def processes_of(times: Times, timed: Timed, names: Sequence[str]) -> set[str]:
    """The processes that measured these implementations on a case."""
    problems = timed.between or (timed.case.problem,)
    records = chain.from_iterable(
        times.records(problem, name) for problem in problems for name in names
    )
    return {record.process for record in records}
