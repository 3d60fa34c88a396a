"""Right before fast: whether an implementation computes what was asked, with the evidence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement import every_row
from suites.agreement.caller import Caller, Guard
from suites.agreement.drift import drift_of
from suites.agreement.expected import Expected, sampled_rows, without_other_rows
from suites.agreement.further import (
    Told,
    after_another,
    bias_fault,
    is_read,
    misread,
    told_apart,
    unlike_the_first,
)
from suites.agreement.gate import changed, judge, malformed, versions_of
from suites.agreement.hard import kind_of
from suites.agreement.hard_answers import HardAnswers, HardQuestions
from suites.agreement.references import beside_textbook_of, expect_of
from suites.measure import memory, timing
from suites.measure.inputs import Inputs, copies, make_inputs
from suites.records.record import Agreement


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; no fault means that the implementation agrees.

    call_ms   wall time of the quickest call, instruments at work: for plans only
    calls_ms  wall time of all its calls
    """

    fault: str
    agreement: Agreement
    usage: memory.Usage
    call_ms: float
    calls_ms: float
    operator: str = ""


class Checker:
    """Checks implementations on one problem; the reference is computed once for all of them.

    guard     what every call of an implementation runs within: a limit on its memory
    answered  hard inputs answered before, by this and other checkers of the process: they are asked
              once for all problems with the same features
    risks     hears what it will mean if the process ends now, and "" once that is over; without
              anyone to hear it, what may end the process is not asked
    """

    def __init__(
        self,
        problem: Problem,
        seed: int,
        guard: Guard = contextlib.nullcontext,
        answered: HardAnswers | None = None,
        risks: Callable[[str], None] | None = None,
    ) -> None:
        self.problem, self._seed, self._guard = problem, seed, guard
        self._rows = sampled_rows(problem, seed)
        self._whole = make_inputs(problem, purpose="check", seed=seed)
        self._inputs = without_other_rows(self._whole, self._rows)
        self._expected: dict[object, Expected] = {}
        self._every: tuple[Tensor, ...] = ()
        self._hard = HardQuestions(problem, seed, {} if answered is None else answered, risks)

    def prepare(self, implementation: Implementation) -> None:
        """Compute the references for this implementation, if they are not known yet."""
        kind = implementation.projections or implementation.reference
        if kind not in self._expected:
            expected = expect_of(implementation, self.problem, self._inputs, self._rows)
            self._expected[kind] = beside_textbook_of(
                implementation, self.problem, self._inputs, expected
            )
        if every_row.asked(self.problem, implementation, self._rows) and not self._every:
            self._every = every_row.plain(self.problem, self._whole)
        self._hard.prepare(implementation)

    def check(self, implementation: Implementation) -> Finding:
        """Call it once with its memory measured, compare the answer, read out what it sees."""
        self.prepare(implementation)
        problem, caller = self.problem, Caller(implementation, self._guard)
        given = copies(self._inputs)
        call, versions = caller.call(problem, given), versions_of(given)
        made, usage = memory.measure(call, problem.device)
        took_ms = caller.took_ms
        fault = malformed(made, self._inputs) or changed(given, self._inputs, versions)
        if fault:
            return Finding(fault, Agreement(), usage, min(took_ms), sum(took_ms))
        expected = self._expected[implementation.projections or implementation.reference]
        errors, fault = judge(made, expected)
        if not fault and every_row.asked(problem, implementation, self._rows):
            fault = self._fault_of_other_rows(caller, made, expected)
        slope, drift = drift_of(implementation, problem, made, expected)
        if implementation.approximates:
            fault = ""
        # In training the calls of the probe, which are forward, say nothing of the time.
        prober = Caller(implementation, self._guard, [] if problem.training else took_ms)
        own = self._further(prober, took_ms, given, made, expected, is_right=not fault)
        if problem.training and timing.WARM_MS < min(took_ms) <= timing.LONG_MS:
            call()  # sessions go by what a call takes, and the first one may have made masks
        hard = self._hard.ask(Caller(implementation, self._guard))
        readable = is_read(implementation) or own.repeatable is True
        agreement = Agreement(
            tensors=errors,
            rows_checked=None if expected.rows is None else len(expected.rows),
            readout=not own.fault if readable else None,
            repeatable=hard.repeatable if own.repeatable is None else own.repeatable,
            slope=told.value if (told := slope or hard.slope) else None,
            hard_inputs=hard.count,
        )
        if fault:
            fault = bias_fault(caller, kind_of(problem), self._seed) or fault
        calls_ms = sum(took_ms) + hard.calls_ms + (sum(prober.took_ms) if problem.training else 0)
        fault = own.fault or fault or drift or hard.fault
        operator = self._operator(implementation, given)
        return Finding(fault, agreement, usage, min(took_ms), calls_ms, operator)

    def _fault_of_other_rows(
        self, caller: Caller, made: Sequence[Tensor], expected: Expected
    ) -> str:
        """What is wrong in rows that were not drawn, in words; in training it is called again."""
        fault = every_row.fault(made[0], self._every[0], expected)
        if fault or not self.problem.training:
            return fault
        every = caller.call(self.problem, copies(self._whole))()
        return every_row.gradients_fault(every, made, self._every, expected)

    def _further(
        self,
        caller: Caller,
        took_ms: Sequence[float],
        given: Inputs,
        made: Sequence[Tensor],
        expected: Expected,
        *,
        is_right: bool,
    ) -> Told:
        """What further calls at this size tell.

        took_ms   what calls took, by which long ones are asked no more here, as the small size is
        is_right  whether the first answer was
        """
        problem, each, first = self.problem, caller.implementation, made[0].clone()
        told = Told(misread(caller, problem, given, self._seed) if is_read(each) else "")
        is_quick = min(took_ms) < timing.QUICK_MS
        if not told.fault and is_quick:
            told = told_apart(caller, problem, given, first, expected, self._seed)
        if not (told.fault or torch.equal(made[0], first)):
            told = replace(told, fault="its answer was written over by a later call")
        if is_right and not (told.fault or each.approximates) and min(took_ms) < timing.LONG_MS:
            ask = unlike_the_first if is_quick else after_another
            told = replace(told, fault=ask(caller, problem, self._inputs, made, expected))
        return told

    def _operator(self, implementation: Implementation, given: Inputs) -> str:
        """The kernel that a library picks, where it tells."""
        if implementation.operator is None:
            return ""
        problem = self.problem
        leaves = [x.detach().requires_grad_(problem.training) for x in (given.q, given.k, given.v)]
        mask = problem.mask.resolved(problem.batch, problem.key_length)
        biased = {} if given.bias is None else {"bias": given.bias}
        return implementation.operator(*leaves, mask=mask, scale=problem.softmax_scale, **biased)
