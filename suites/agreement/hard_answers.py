"""Hard inputs put to implementations: asked once for all problems with the same features."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.caller import Caller
from suites.agreement.drift import Drift, drift_of
from suites.agreement.expected import Expected
from suites.agreement.further import Told, bias_fault, fault_between, told_apart
from suites.agreement.gate import changed, judge, malformed, versions_of
from suites.agreement.hard import LOW, PLAIN, RISING, HardInput, hard_inputs, kind_of, poisoned
from suites.agreement.read_only import WROTE, read_only
from suites.agreement.references import beside_textbook_of, expect_of
from suites.measure.inputs import Inputs, copies, make_inputs, overwrite

HardAnswers = dict[tuple[str, Problem], "HardFinding"]
"""What hard inputs found, by implementation and by the problem that stands for its features."""


@dataclass(frozen=True, slots=True)
class HardFinding:
    """What hard inputs found: how many were answered right, and the first fault in words."""

    fault: str
    count: int
    slope: Drift | None = None
    repeatable: bool | None = None
    calls_ms: float = 0.0


class HardQuestions:
    """The hard inputs of one problem, with their references.

    answered  what was found before, by others too
    risks     hears what it will mean if the process ends now, and "" once that is over; without
              anyone to hear it, what may end the process is not asked
    """

    def __init__(
        self,
        problem: Problem,
        seed: int,
        answered: HardAnswers,
        risks: Callable[[str], None] | None,
    ) -> None:
        self._problem, self._seed, self._answered, self._risks = problem, seed, answered, risks
        self._references: dict[tuple[object, HardInput], tuple[Inputs, Expected]] = {}

    def prepare(self, implementation: Implementation) -> None:
        """Compute the references for this implementation, if its answers are not known yet."""
        if self._key(implementation) not in self._answered:
            for each in hard_inputs(self._problem, implementation):
                self._reference(each, implementation)

    def ask(self, caller: Caller) -> HardFinding:
        """What the answers are found to be, if not before; `calls_ms` is what it took now."""
        key = self._key(caller.implementation)
        if key in self._answered:
            return replace(self._answered[key], calls_ms=0.0)
        before_ms = sum(caller.took_ms)
        found = self._answers(caller)
        self._answered[key] = replace(found, calls_ms=sum(caller.took_ms) - before_ms)
        return self._answered[key]

    def _answers(self, caller: Caller) -> HardFinding:
        """Ask for each hard input, in turn, until one is answered wrong."""
        implementation = caller.implementation
        count, slope, told = 0, None, Told()
        given: Inputs | None = None
        call: Callable[[], tuple[Tensor, ...]] | None = None
        for each in hard_inputs(self._problem, implementation):
            inputs, expected = self._reference(each, implementation)
            if each.same_call and given is not None and call is not None:
                overwrite(given, inputs)
            else:
                given = copies(inputs)
                call = caller.call(each.problem, given)
            versions = versions_of(given)
            where = f"on a hard input ({each.label}: {each.problem})"
            with _said(where), poisoned() if each.poisoned else contextlib.nullcontext():
                made = call()
            fault = malformed(made, inputs) or changed(given, inputs, versions)
            if not fault and not implementation.approximates:
                drift = ""
                if each.label not in (RISING, LOW):  # half precision is off by half of one there
                    own, drift = drift_of(implementation, each.problem, made, expected)
                    slope = own or slope
                fault = judge(made, expected)[1] or drift
            if not fault and each.label == PLAIN:
                told = told_apart(
                    caller, each.problem, given, made[0].clone(), expected, self._seed
                )
                fault = (
                    told.fault
                    or bias_fault(caller, each.problem, self._seed)
                    or fault_between(caller, each.problem, inputs, expected, self._seed)
                )
            if fault:
                return HardFinding(f"{where}, {fault}", count)
            count += 1
        self._ask_for_no_write(caller)
        return HardFinding("", count, slope, told.repeatable)

    def _ask_for_no_write(self, caller: Caller) -> None:
        """Call it where a write to its inputs ends the process, whether it is counted or not."""
        problem, refused = self._kind, caller.implementation.refusals(self._kind)
        if self._risks is None or problem.device != "cpu" or refused:
            return
        with read_only(make_inputs(problem, purpose="hard", seed=self._seed)) as given:
            call = caller.call(problem, given)
            self._risks(WROTE)
            call()
            self._risks("")

    def _reference(
        self, each: HardInput, implementation: Implementation
    ) -> tuple[Inputs, Expected]:
        key = (implementation.projections or implementation.reference, each)
        if key not in self._references:
            inputs = each.inputs(self._seed)
            expected = expect_of(implementation, each.problem, inputs, None)
            if each.label == PLAIN:
                expected = beside_textbook_of(implementation, each.problem, inputs, expected)
            self._references[key] = inputs, expected
        return self._references[key]

    def _key(self, implementation: Implementation) -> tuple[str, Problem]:
        return str(implementation), self._kind

    @cached_property
    def _kind(self) -> Problem:
        return kind_of(self._problem)


@contextlib.contextmanager
def _said(where: str) -> Iterator[None]:
    """What is raised within this carries a note that says where."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
