"""Right before fast: whether an implementation computes what was asked, with the evidence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from impls.interface import BiasValues, Implementation, Problem
from suites.agreement import biases, every_row, perturbation, readout
from suites.agreement.drift import Drift, drift_of
from suites.agreement.expected import Expected, sampled_rows, without_other_rows
from suites.agreement.gate import NAMES, changed, judge, malformed, versions_of
from suites.agreement.hard import (
    PLAIN,
    RISING,
    HardInput,
    hard_inputs,
    in_other_layout,
    is_able,
    kind_of,
    poisoned,
)
from suites.agreement.read_only import WROTE, read_only
from suites.agreement.references import beside_textbook_of, expect_of
from suites.measure import memory, timing
from suites.measure.inputs import (
    Inputs,
    bind,
    call_of,
    copies,
    laid_out,
    make_inputs,
    overwrite,
)
from suites.records.record import Agreement

Guard = contextlib.AbstractContextManager[None]
BETWEEN: Final = "with another call between forward and backward"
DRAWS: Final = 3
"""Sets of keys that are changed, one after the other."""

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


@dataclass(frozen=True, slots=True)
class _Told:
    """What more calls on the same inputs told: the first fault in words, and if bits repeat."""

    fault: str = ""
    repeatable: bool | None = None


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
        guard: Callable[[], Guard] = contextlib.nullcontext,
        answered: HardAnswers | None = None,
        risks: Callable[[str], None] | None = None,
    ) -> None:
        self.problem, self._seed, self._guard, self._risks = problem, seed, guard, risks
        self._answered = {} if answered is None else answered
        self._rows = sampled_rows(problem, seed)
        made = make_inputs(problem, purpose="check", seed=seed)
        self._inputs = without_other_rows(made, self._rows)
        self._expected: dict[object, Expected] = {}
        self._every: Tensor | None = None
        self._hard: dict[tuple[object, HardInput], tuple[Inputs, Expected]] = {}

    def prepare(self, implementation: Implementation) -> None:
        """Compute the references for this implementation, if they are not known yet."""
        kind = implementation.projections or implementation.reference
        if kind not in self._expected:
            expected = expect_of(implementation, self.problem, self._inputs, self._rows)
            if self._rows is None:
                expected = beside_textbook_of(implementation, self.problem, self._inputs, expected)
            self._expected[kind] = expected
        if every_row.asked(self.problem, implementation, self._rows) and self._every is None:
            self._every = every_row.plain(self.problem, self._inputs)
        if self._hard_key(implementation) not in self._answered:
            for each in hard_inputs(self.problem, implementation):
                self._hard_reference(each, implementation)

    def check(self, implementation: Implementation) -> Finding:
        """Call it once with its memory measured, compare the answer, read out what it sees."""
        self.prepare(implementation)
        problem = self.problem
        given = copies(self._inputs)
        bound = bind(implementation, problem, given)
        took_ms: list[float] = []
        call = self._watched(call_of(bound, given), took_ms)
        versions = versions_of(given)
        made, usage = memory.measure(call, problem.device)
        fault = malformed(made, self._inputs) or changed(given, self._inputs, versions)
        if fault:
            return Finding(fault, Agreement(), usage, min(took_ms), sum(took_ms))
        expected = self._expected[implementation.projections or implementation.reference]
        errors, fault = judge(made, expected)
        if every_row.asked(problem, implementation, self._rows) and self._every is not None:
            fault = fault or every_row.fault(made[0], self._every, expected)
        slope, drift = drift_of(implementation, problem, made, expected)
        if implementation.approximates:
            fault = ""
        first = made[0].clone()
        # In training the calls of the probe, which are forward, say nothing of the time.
        probed_ms: list[float] = [] if problem.training else took_ms
        unread = implementation.projections is not None or implementation.approximates
        seen = "" if unread else self._misread(implementation, given, probed_ms)
        own = _Told()
        is_quick = min(took_ms) < timing.QUICK_MS  # longer calls are asked at the small size alone
        if not seen and is_quick:
            own = self._told_apart(implementation, problem, given, first, probed_ms)
        if not (own.fault or torch.equal(made[0], first)):
            own = _Told("its answer was written over by a later call", own.repeatable)
        if is_quick and not (seen or own.fault or fault):
            more = self._fault_of_more(implementation, made, expected, probed_ms)
            own = _Told(more, own.repeatable)
        if problem.training and timing.WARM_MS < min(took_ms) <= timing.LONG_MS:
            call()  # sessions go by what a call takes, and the first one may have made masks
        hard = self._answer_hard(implementation)
        agreement = Agreement(
            tensors=errors,
            rows_checked=None if expected.rows is None else len(expected.rows),
            readout=None if unread and own.repeatable is not True else not (seen or own.fault),
            repeatable=hard.repeatable if own.repeatable is None else own.repeatable,
            slope=told.value if (told := slope or hard.slope) else None,
            hard_inputs=hard.count,
        )
        calls_ms = sum(took_ms) + (sum(probed_ms) if problem.training else 0.0) + hard.calls_ms
        if fault:
            fault = self._bias_fault(implementation, kind_of(problem), took_ms) or fault
        fault = seen or own.fault or fault or drift or hard.fault
        operator = self._operator(implementation, given)
        return Finding(fault, agreement, usage, min(took_ms), calls_ms, operator)

    def _misread(self, implementation: Implementation, given: Inputs, took_ms: list[float]) -> str:
        """Where the keys that it sees, read out, are not those of the mask, in words."""
        bound = bind(implementation, self.problem, _unbiased(given))
        told = readout.differences(self._watched(bound, took_ms), self.problem, self._seed)
        biased = told and self.problem.bias.kind != "none"
        return f"{told} (with a bias of zero)" if biased else told

    def _told_apart(
        self,
        implementation: Implementation,
        problem: Problem,
        given: Inputs,
        out: Tensor,
        took_ms: list[float],
    ) -> _Told:
        """Whether it repeats itself bit for bit; if so, which keys its answers depend on."""
        function = self._watched(bind(implementation, problem, given), took_ms)
        with torch.no_grad():
            again = function(given.q, given.k, given.v).clone()
            repeatable = torch.equal(again, out)
            if not repeatable and problem.training:  # forward alone may take other kernels
                repeatable = torch.equal(again, function(given.q, given.k, given.v))
        if not repeatable:
            return _Told("", repeatable=False)
        fault = perturbation.differences(function, problem, given, again, self._seed, draws=DRAWS)
        return _Told(fault, repeatable=True)

    def _fault_of_more(
        self,
        implementation: Implementation,
        made: Sequence[Tensor],
        expected: Expected,
        took_ms: list[float],
    ) -> str:
        """What is wrong with more answers at this size: to inputs laid out otherwise, and again."""
        if implementation.approximates:
            return ""
        problem = in_other_layout(self.problem)
        if is_able(implementation, problem):
            given = _laid_out(copies(self._inputs), problem)
            call = self._watched(call_of(bind(implementation, problem, given), given), took_ms)
            if fault := _fault_beside(call(), made, expected):
                return f"in layout {problem.layout}, {fault}"
        if not self.problem.training:
            return ""
        gradients = [x.clone() for x in made[1:]]
        others = copies(self._inputs)
        others.q.neg_()
        others.v.neg_()
        self._watched(call_of(bind(implementation, self.problem, others), others), took_ms)()
        pairs = zip(NAMES[1:], made[1:], gradients, strict=True)
        if late := next((name for name, x, was in pairs if not torch.equal(x, was)), ""):
            return f"its {late} was written over by a later call"
        given = copies(self._inputs)
        bound = bind(implementation, self.problem, given)
        between = self._watched(call_of(bound, given, between=others), took_ms)
        fault = _fault_beside(between(), made, expected)
        return f"{BETWEEN}, {fault}" if fault else ""

    def _answer_hard(self, implementation: Implementation) -> HardFinding:
        key = self._hard_key(implementation)
        if key not in self._answered:
            took_ms: list[float] = []
            found = self._ask_hard(implementation, took_ms)
            self._answered[key] = replace(found, calls_ms=sum(took_ms))
            return self._answered[key]
        return replace(self._answered[key], calls_ms=0.0)

    def _ask_hard(self, implementation: Implementation, took_ms: list[float]) -> HardFinding:
        """Ask for each hard input, in turn, until one is answered wrong."""
        count, slope, told = 0, None, _Told()
        given: Inputs | None = None
        call: Callable[[], tuple[Tensor, ...]] | None = None
        for each in hard_inputs(self.problem, implementation):
            inputs, expected = self._hard_reference(each, implementation)
            if each.same_call and given is not None and call is not None:
                overwrite(given, inputs)
            else:
                given = copies(inputs)
                bound = bind(implementation, each.problem, given)
                call = self._watched(call_of(bound, given), took_ms)
            versions = versions_of(given)
            where = f"on a hard input ({each.label}: {each.problem})"
            with _said(where), poisoned() if each.poisoned else contextlib.nullcontext():
                made = call()
            fault = malformed(made, inputs) or changed(given, inputs, versions)
            if not fault and not implementation.approximates:
                drift = ""
                if each.label != RISING:  # there half precision is off by half of one, all alike
                    own, drift = drift_of(implementation, each.problem, made, expected)
                    slope = own or slope
                fault = judge(made, expected)[1] or drift
            if not fault and each.label == PLAIN:
                out = made[0].clone()
                told = self._told_apart(implementation, each.problem, given, out, took_ms)
                fault = (
                    told.fault
                    or self._bias_fault(implementation, each.problem, took_ms)
                    or self._fault_between(implementation, each.problem, inputs, expected, took_ms)
                )
            if fault:
                return HardFinding(f"{where}, {fault}", count)
            count += 1
        self._ask_for_no_write(implementation, took_ms)
        return HardFinding("", count, slope, told.repeatable)

    def _ask_for_no_write(self, implementation: Implementation, took_ms: list[float]) -> None:
        """Call it where a write to its inputs ends the process, whether it is counted or not."""
        problem = kind_of(self.problem)
        if self._risks is None or problem.device != "cpu" or implementation.refusals(problem):
            return
        with read_only(make_inputs(problem, purpose="hard", seed=self._seed)) as given:
            call = self._watched(call_of(bind(implementation, problem, given), given), took_ms)
            self._risks(WROTE)
            call()
            self._risks("")

    def _fault_between(
        self,
        implementation: Implementation,
        problem: Problem,
        inputs: Inputs,
        expected: Expected,
        took_ms: list[float],
    ) -> str:
        """What is wrong in training when a second answer is asked for before the first's gradients.

        As every network of two layers does it.
        """
        if not problem.training or implementation.approximates:
            return ""
        given, others = copies(inputs), make_inputs(problem, purpose="between", seed=self._seed)
        call = call_of(bind(implementation, problem, given), given, between=others)
        fault = judge(self._watched(call, took_ms)(), expected)[1]
        return f"{BETWEEN}, {fault}" if fault else ""

    def _bias_fault(
        self, implementation: Implementation, problem: Problem, took_ms: list[float]
    ) -> str:
        """What is wrong with what it adds to the scores, in words.

        Not asked of layers, whose projections would mix one-hot columns, nor of approximations.
        """
        unread = implementation.projections is not None or implementation.approximates
        if problem.bias.kind == "none" or unread or implementation.refusals(problem):
            return ""
        given = make_inputs(problem, purpose="hard", seed=self._seed)
        if given.bias is None:
            return ""
        unsunk = replace(given, sink=_nothing(given.sink))
        function = self._watched(bind(implementation, problem, unsunk), took_ms)
        return biases.differences(function, problem, given.bias)

    def _hard_reference(
        self, each: HardInput, implementation: Implementation
    ) -> tuple[Inputs, Expected]:
        key = (implementation.projections or implementation.reference, each)
        if key not in self._hard:
            inputs = each.inputs(self._seed)
            expected = expect_of(implementation, each.problem, inputs, None)
            if each.label == PLAIN:
                expected = beside_textbook_of(implementation, each.problem, inputs, expected)
            self._hard[key] = inputs, expected
        return self._hard[key]

    def _hard_key(self, implementation: Implementation) -> tuple[str, Problem]:
        return str(implementation), kind_of(self.problem)

    def _operator(self, implementation: Implementation, given: Inputs) -> str:
        """The kernel that a library picks, where it tells."""
        if implementation.operator is None:
            return ""
        problem = self.problem
        leaves = [x.detach().requires_grad_(problem.training) for x in (given.q, given.k, given.v)]
        mask = problem.mask.resolved(problem.batch, problem.key_length)
        biased = {} if given.bias is None else {"bias": given.bias}
        return implementation.operator(*leaves, mask=mask, scale=problem.softmax_scale, **biased)

    def _watched(self, function: Callable[..., Any], took_ms: list[float]) -> Callable[..., Any]:
        """The function, each call of it within the guard, and its milliseconds added to a list."""
        counted = timing.counted(function, took_ms)

        def watched(*given: Any) -> Any:
            with self._guard():
                return counted(*given)

        return watched


def _fault_beside(made: Sequence[Tensor], right: Sequence[Tensor], expected: Expected) -> str:
    """What is wrong with an answer to numbers that were answered right before; mostly no bit is."""
    if all(torch.equal(x, y) for x, y in zip(made, right, strict=True)):
        return ""
    return judge(made, expected)[1]


def _laid_out(inputs: Inputs, problem: Problem) -> Inputs:
    q, k, v = (laid_out(x, problem) for x in (inputs.q, inputs.k, inputs.v))
    grad = None if inputs.grad is None else laid_out(inputs.grad, problem)
    return replace(inputs, q=q, k=k, v=v, grad=grad)


def _unbiased(inputs: Inputs) -> Inputs:
    """The same with a bias that adds nothing and a sink that takes nothing."""
    bias = inputs.bias
    if bias is not None:
        bias = BiasValues(bias.kind, torch.zeros_like(bias.values))
    return replace(inputs, bias=bias, sink=_nothing(inputs.sink))


def _nothing(sink: Tensor | None) -> Tensor | None:
    return None if sink is None else torch.full_like(sink, -1e4)


@contextlib.contextmanager
def _said(where: str) -> Iterator[None]:
    """What is raised within this carries a note that says where."""
    try:
        yield
    except BaseException as error:
        error.add_note(where)
        raise
