"""Whether an implementation agrees with its reference on one problem, with the evidence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from impls.interface import Implementation, Problem
from suites.agreement.calls import Caller, Guard, tensors_of, versions_of
from suites.agreement.cases import Case, Cases
from suites.agreement.diagnosis import diagnosed
from suites.agreement.hard_checks import (
    UNKNOWN,
    HardFinding,
    HardFindings,
    check_hard_inputs,
)
from suites.agreement.own_inputs import OwnFinding, check_own_inputs
from suites.agreement.probes import all_probes
from suites.agreement.probes.output_form import malformed
from suites.agreement.refused_feature import traced
from suites.agreement.slip import Diagnosis
from suites.agreement.small_problems import kind_of
from suites.agreement.trial import Trial, first_fault
from suites.measure import kernels, memory, timing
from suites.measure.inputs import Inputs, copies
from suites.measure.preparing import Announced, Preparation
from suites.records.input_files import InputFile
from suites.records.kernels import TRACED, Kernel
from suites.records.record import Agreement


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check; an empty fault means that the implementation agrees.

    call_ms   wall time of the shortest call, with memory measured: for planning only
    calls_ms  wall time of all calls
    operator  the kernel that a library picked, where the implementation names it
    kernels   that one call ran, where it agrees
    notes     how its calls differ from those of others
    cause     of the fault, where it is a known mistake
    """

    fault: str
    agreement: Agreement
    usage: memory.Usage
    call_ms: float
    calls_ms: float
    operator: str = ""
    kernels: tuple[Kernel, ...] = ()
    notes: tuple[str, ...] = ()
    cause: Diagnosis | None = None

    @property
    def reason(self) -> str:
        """The cause, with the measured evidence in parentheses; empty where it agrees."""
        return self.fault if self.cause is None else self.cause.reason(self.fault)


class Checker:
    """Checks implementations on one problem. Reference values are computed once for all of them.

    guard          the context of every call: a limit on its memory
    hard_findings  results of hard inputs in this process, filled here: problems with the same
                   features share them
    announced      the context of preparing and compiling
    risks          gets a sentence before a call in which a fault ends the process, and "" after
                   it; None: no such call is made
    probes         names of the probes to use; None: all
    labels         of the hard inputs to use; None: all
    one_size       whether slow starts that compile get the hard inputs of one size only, and no
                   other strides, batches or threads
    files          of the user's own inputs, compared with the reference after the random ones
    """

    def __init__(  # noqa: PLR0913 - each is a part of the check that callers replace
        self,
        problem: Problem,
        seed: int,
        guard: Guard = contextlib.nullcontext,
        hard_findings: HardFindings | None = None,
        risks: Callable[[str], None] | None = None,
        *,
        announced: Announced = contextlib.nullcontext,
        probes: tuple[str, ...] | None = None,
        labels: tuple[str, ...] | None = None,
        one_size: bool = False,
        files: tuple[InputFile, ...] = (),
    ) -> None:
        self._files = files
        self.problem, self._guard, self._risks = problem, guard, risks
        self._announced = announced
        self._cases = Cases(problem, seed, labels, one_size=one_size)
        self._findings: HardFindings = {} if hard_findings is None else hard_findings
        every = all_probes()
        self._probes = [every[name] for name in (every if probes is None else probes)]
        self._probes.sort(key=lambda probe: probe.order)

    def prepare(self, implementation: Implementation) -> None:
        """Compute the reference values for this implementation, unless they are known.

        Those of hard inputs are left out where it was at fault before it reached them: it may well
        be at fault again.
        """
        for case in self._cases_of(implementation):
            for probe in self._probes:
                if probe.prepare is not None:
                    probe.prepare(case, implementation)
        for file in self._files:
            self._cases.of_file(file, implementation)

    def check(self, implementation: Implementation) -> Finding:
        """Call it on the problem with its memory measured, then on hard inputs; run the probes.

        Reference values that `prepare` has not computed are computed when they are needed.
        """
        self._findings.setdefault(self._key(implementation), UNKNOWN)
        preparation = Preparation(implementation, self._announced)
        caller = Caller(preparation, self._guard)
        # In training some probes make forward calls. These are faster, and must not set the time.
        apart = self.problem.training
        prober = Caller(preparation, self._guard, [] if apart else caller.took_ms)
        trial, usage = self._measured_trial(caller, prober)
        with traced(caller, [self.problem]):
            fault = first_fault(trial, self._probes)
            of_group = implementation.takes_group  # its kernels run in other processes
            ran = () if fault or of_group else _kernels(trial, usage)
        own = OwnFinding() if fault else check_own_inputs(self._files, caller, self._cases)
        fault = fault or own.fault
        hard = HardFinding("", 0) if fault else self._on_hard_inputs(preparation)
        return Finding(
            fault=fault or hard.fault,
            agreement=replace(_evidence(trial, hard), on_inputs=own.errors),
            usage=usage,
            call_ms=min(caller.took_ms),
            calls_ms=sum(caller.took_ms) + (sum(prober.took_ms) if apart else 0) + hard.calls_ms,
            operator="" if fault else self._operator(implementation, trial.inputs),
            kernels=ran,
            notes=(*dict.fromkeys(n for mode in caller.modes for n in mode.notes), *own.notes),
            cause=hard.cause if own.fault or not fault else diagnosed(trial, self._cases),
        )

    def _cases_of(self, implementation: Implementation) -> Iterator[Case]:
        yield self._cases.itself(implementation)
        if self._key(implementation) not in self._findings:
            yield from self._cases.hard(implementation)

    def _measured_trial(self, caller: Caller, prober: Caller) -> tuple[Trial, memory.Usage]:
        """The trial on the problem itself, and the memory of its call."""
        case = self._cases.itself(caller.implementation)
        given = copies(case.inputs)
        device, held = case.problem.device, [tensor for _, tensor in tensors_of(given)]
        prepared = 0
        if caller.implementation.prepares:  # the dense mask of a convention is stated apart
            prepared = memory.kept_by(partial(caller.prepare, case.problem), device)
        call, versions = caller.call(case.problem, given), versions_of(given)
        with traced(caller, [case.problem]):
            outputs, usage = memory.measure(call, device, held, prepared)
        trial = Trial(case, given, versions, outputs, caller, prober, self._risks)
        if case.problem.training and timing.WARM_MS < min(caller.took_ms) <= timing.LONG_MS:
            call()  # sessions plan with the shortest call, and the first one may have made masks
        return trial, usage

    def _on_hard_inputs(self, preparation: Preparation) -> HardFinding:
        """The result of the hard inputs; `calls_ms` is 0 where it was known."""
        key = self._key(preparation.implementation)
        if self._findings.get(key, UNKNOWN) is not UNKNOWN:
            return replace(self._findings[key], calls_ms=0.0)
        caller = Caller(preparation, self._guard)
        forms = not self._cases.has_one_size(preparation.implementation)
        probes = [each for each in self._probes if forms or not each.other_forms]
        found = check_hard_inputs(caller, self._cases, probes, self._risks)
        self._findings[key] = found
        return found

    def _key(self, implementation: Implementation) -> tuple[str, Problem]:
        return str(implementation), kind_of(self.problem, implementation)

    def _operator(self, implementation: Implementation, given: Inputs) -> str:
        """The kernel that a library picks, where the implementation names it."""
        if implementation.operator is None:
            return ""
        problem = self.problem
        leaves = [x.detach().requires_grad_(problem.training) for x in (given.q, given.k, given.v)]
        mask = problem.mask.resolved(problem.batch, problem.key_length)
        optional = {"bias": given.bias, "softcap": problem.softcap, "sink": given.sink}
        values = dict(implementation.chosen)
        values |= {name: value for name, value in optional.items() if value is not None}
        return implementation.operator(*leaves, mask=mask, scale=problem.softmax_scale, **values)


def _kernels(trial: Trial, usage: memory.Usage) -> tuple[Kernel, ...]:
    """The kernels of a further, warm call; of a long call those seen with its memory.

    A first call that compiled was long for that reason, and is not used.
    """
    compiled = any(each.name.startswith(TRACED) for each in usage.kernels)
    if trial.is_long and usage.kernels and not compiled:
        return usage.kernels
    call = trial.prober.call(trial.problem, trial.inputs)
    return kernels.ran(call, trial.problem.device)


def _evidence(trial: Trial, hard: HardFinding) -> Agreement:
    """The evidence for a record; empty where the outputs are not of the right form."""
    if malformed(trial.outputs, trial.case.inputs):
        return Agreement()
    rows = trial.case.expected.rows
    bits = trial.equal_bits if trial.equal_bits.repeats else hard.equal_bits
    return Agreement(
        tensors=trial.errors,
        rows_checked=None if rows is None else len(rows),
        readout=trial.mask_agrees,
        repeatable=hard.repeatable if trial.repeatable is None else trial.repeatable,
        slope=trial.scale_slope or hard.scale_slope,
        hard_inputs=hard.count,
        repeats=bits.repeats,
        differing=bits.differing,
        batch_differs_from=hard.equal_bits.batch_differs_from,
    )
