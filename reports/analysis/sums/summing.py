"""The sums of the cases of one step: now, of each implementation alone, of the best mix."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from reports.analysis.sums import choosing, contexts
from reports.analysis.sums.choosing import Choice, Chosen, Policy
from reports.analysis.sums.estimates import Saving, estimated, saved, saved_in_layers
from reports.analysis.sums.interpolation import Array
from reports.analysis.sums.rows import Kind, Lacking, StepRow, StepSum, Substitution
from reports.analysis.sums.script_costs import Cost, of_look_ups, of_pages
from reports.analysis.sums.times import Timed, Times, processes_of
from reports.analysis.verdicts import between_floor
from reports.rows.families import without_length
from suites.records.lengths import alike


class Sums:
    """The sums of the timed cases of one step.

    ms       [cases, names, sessions], milliseconds of one call; NaN for none
    in_step  the same of what is saved: the current one's, and what each takes more in a layer
    """

    def __init__(self, times: Times, timed: Sequence[Timed], took_ms: float | None) -> None:
        self.times, self.timed, self.took_ms = times, timed, took_ms
        self.names = [name for name in times.entries if any(name in each.ms for each in timed)]
        self.places = {name: place for place, name in enumerate(self.names)}
        self.counts = np.array([each.case.count for each in timed])
        nothing = np.full(len(times.sessions), np.nan)
        self.ms = np.array([[each.ms.get(name, nothing) for name in self.names] for each in timed])
        self.in_step = self._in_step()

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
            single_changes=tuple(self._single_changes(now)) if now else (),
            in_layers=self._in_layers,
        )

    def _single_changes(self, now: Chosen) -> Iterator[Substitution]:
        """Each implementation in place of the current one, for each kind of problems alone."""
        families: dict[Hashable, list[int]] = {}
        for place, timed in enumerate(self.timed):
            families.setdefault(alike(timed.case.problem), []).append(place)
        for own in families.values():
            for name in self.names:
                if all(name in self.timed[each].ms for each in own):
                    yield from self._single_change(now, own, name)

    def _single_change(self, now: Chosen, own: list[int], name: str) -> Iterator[Substitution]:
        choice = now.choice.copy()
        choice[own] = self.places[name]
        then = self._of(choice)
        if then is None or (choice == now.choice).all():
            return
        saving = self._saving(now, then)
        if saving is not None:
            current = self.names[now.choice[own[0]]]
            yield Substitution(cases=tuple(own), now=current, name=name, saving=saving)

    @cached_property
    def _now(self) -> Chosen | None:
        return self._of(np.array([self.places[each.current] for each in self.timed]))

    def _all(self, name: str) -> Chosen | None:
        return self._of(np.full(len(self.timed), self.places[name]))

    def _of(self, choice: Choice) -> Chosen | None:
        """A choice that is made beforehand; None where no session has all of its times."""
        sums, in_step = (
            choosing.total(each, self.counts, choice) for each in (self.ms, self.in_step)
        )
        return Chosen(choice, sums, in_step) if np.isfinite(sums).any() else None

    def _chosen(self, policy: Policy, allowed: Array) -> Chosen | None:
        found = choosing.chosen(self.ms, self.in_step, self.counts, allowed, policy)
        return found if found is not None and np.isfinite(found.sums).any() else None

    @cached_property
    def _allowed(self) -> Array:
        """1 for one implementation of each kernel, and NaN for the others [cases, names]."""
        rivals = [each.rivals - self._unpaired(each) for each in self.timed]
        return np.array([[1.0 if n in own else np.nan for n in self.names] for own in rivals])

    def _allowed_alone(self, complete: Sequence[str]) -> Array:
        """The same for one that answers all cases: it is a rival on some of them."""
        some = np.asarray(np.isfinite(self._allowed).any(axis=0))
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
        every = np.ones(len(by_case))
        error = self._interpolation_ms([(found.choice, every)]) / sum(by_case)
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
        further = (
            self._floor_ms(now.choice, then.choice),
            self._difference_ms(now, then),
            self._context_ms(now, then),
        )
        if self._in_layers:
            less = (now.in_step - then.in_step)[both]
            cost = self._cost_in_script(now.choice, then.choice)
            made = saved_in_layers(now.sums[both].tolist(), less.tolist(), cost, further)
        else:
            made = saved(now.sums[both].tolist(), then.sums[both].tolist(), further)
        return replace(made, of_step=made.ms.over(self.took_ms)) if self.took_ms else made

    @property
    def _in_layers(self) -> bool:
        return any(each.in_layer for each in self.timed)

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
        within, between = self._floors
        return between if len(processes_of(self.times, timed, names)) > 1 else within

    @cached_property
    def _floors(self) -> tuple[float, float]:
        """The noise floor within a process, and between processes where that is known."""
        within = self.times.analysis.floor or 0.0
        return within, between_floor(self.times.analysis.timed) or within

    def _difference_ms(self, now: Chosen, then: Chosen) -> float:
        """The error of interpolation of the cases whose implementation changes."""
        changed = np.asarray(now.choice != then.choice, dtype=np.float64)
        return self._interpolation_ms([(each.choice, changed) for each in (now, then)])

    def _context_ms(self, now: Chosen, then: Chosen) -> float:
        """The difference between a script and a session, for the cases that change."""
        if not self.times.plan.steps:
            return 0.0
        in_layer = np.array(
            [
                {self.names[one], self.names[other]} <= each.in_layer.keys()
                for each, one, other in zip(self.timed, now.choice, then.choice, strict=True)
            ]
        )
        changed = now.choice != then.choice
        half = contexts.half_width(self.timed)
        alone = np.asarray(changed & ~in_layer, dtype=np.float64)
        of_calls = [(each.choice, alone) for each in (now, then)]
        return math.hypot(
            self._independent_ms(of_calls, lambda _, __: half),
            self._in_layer_ms(now.choice, then.choice, changed & in_layer),
        )

    def _in_layer_ms(self, now: Choice, then: Choice, changed: Array) -> float:
        """The same for the cases whose difference was measured with a layer."""
        if not changed.any():
            return 0.0
        took = np.array(self._by_case(now)) @ changed
        less = self.counts * (self._mean_in_step(now) - self._mean_in_step(then))
        return contexts.in_layer_ms(self.timed, float(took), float(less @ changed))

    def _cost_in_script(self, now: Choice, then: Choice) -> Cost:
        """What a change costs in the script beyond what layers show."""
        changed = now != then
        if not changed.any():
            return Cost()
        calls = self.counts * changed
        (added, mapped), (_, before) = (calls @ self._pages(each) for each in (then, now))
        pages = of_pages(float(added), float(mapped - before))
        return pages + of_look_ups(float(calls.sum()), float((self.counts - calls).sum()))

    def _pages(self, choice: Choice) -> Array:
        """Pages that a call of each case adds, and those that it mapped in layers [cases, 2]."""
        chosen = zip(self.timed, choice, strict=True)
        return np.array([self.times.pages(each, self.names[place]) for each, place in chosen])

    def _mean_in_step(self, choice: Choice) -> Array:
        """The mean over the sessions for each case."""
        return np.asarray(np.nanmean(self.in_step[np.arange(len(choice)), choice], axis=1))

    def _in_step(self) -> Array:
        made = self.ms.copy()
        for place, timed in enumerate(self.timed):
            current = self.ms[place, self.places[timed.current]]
            for name, more in timed.in_layer.items():
                own, known = made[place, self.places[name]], np.isfinite(current + more)
                own[known] = (current + more)[known]
        return made

    def _interpolation_ms(self, choices: Sequence[tuple[Choice, Array]]) -> float:
        """The half-width that interpolation adds to a sum, milliseconds of a step."""
        return self._independent_ms(choices, lambda timed, name: timed.errors.get(name, 0.0))

    def _independent_ms(
        self, choices: Sequence[tuple[Choice, Array]], error: Callable[[Timed, str], float]
    ) -> float:
        """The half-width of errors that are given in logarithms, milliseconds of a step.

        Errors of one implementation on problems that differ in length only have the same sign, and
        add up; others are independent.
        """
        found: dict[Hashable, float] = {}
        for choice, of_case in choices:
            took = self._by_case(choice)
            for timed, place, ms, weight in zip(self.timed, choice, took, of_case, strict=True):
                name = self.names[place]
                kind = (name, without_length(timed.case.problem))
                own = float(weight) * ms * error(timed, name)
                found[kind] = found.get(kind, 0.0) + own
        return float(np.linalg.norm(list(found.values())))
