"""A trial: one implementation called on one case. Probes examine it, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement import by_rank
from suites.agreement.calls import Caller
from suites.agreement.cases import Case
from suites.agreement.gate import errors_of
from suites.measure import timing
from suites.measure.inputs import Inputs
from suites.records.record import TensorError


@dataclass(slots=True)
class EqualBits:
    """Whether results are equal bit for bit, as a record states it.

    repeats             calls on the same inputs that were compared; 0: none
    differing           tensors that differed between these calls
    batch_differs_from  the smallest batch in which a row's output differed; 0: none; None: unknown
    """

    repeats: int = 0
    differing: tuple[str, ...] = ()
    batch_differs_from: int | None = None


@dataclass(slots=True, eq=False)
class Trial:
    """What an implementation returned on a case, and the evidence that probes have found.

    inputs          the copies that the implementation was called with
    versions        their write counters before the call
    outputs         (out,), or (out, dq, dk, dv) in training
    caller          makes this call; the shortest time of its calls is the check's time of a call
    prober          makes the further calls of probes; in training their times do not count
    announce_risk   gets a sentence before a call in which a fault ends the process, and ""
                    after it; None: no such call is made
    forward_output  the output of a forward call, if it was repeatable bit for bit
    repeatable      whether a second call on the same inputs returned the same bits; None: unknown
    mask_agrees     whether the visible keys are those of the mask; None: unknown
    scale_slope     relative error of the scale in half precision; None: unknown
    equal_bits      of repeated calls and of batches
    out             a copy of the first output, made right after the call
    """

    case: Case
    inputs: Inputs
    versions: list[int]
    outputs: tuple[Tensor, ...]
    caller: Caller
    prober: Caller
    announce_risk: Callable[[str], None] | None = None
    forward_output: Tensor | None = None
    repeatable: bool | None = None
    mask_agrees: bool | None = None
    scale_slope: float | None = None
    equal_bits: EqualBits = field(default_factory=EqualBits)
    out: Tensor | None = field(init=False)
    _errors: tuple[TensorError, ...] = ()

    def __post_init__(self) -> None:
        first = self.outputs[0]
        self.out = first.clone() if first.device == self.inputs.q.device else None

    @property
    def implementation(self) -> Implementation:
        """The implementation that was called."""
        return self.caller.implementation

    @property
    def problem(self) -> Problem:
        """The case's problem."""
        return self.case.problem

    @property
    def errors(self) -> tuple[TensorError, ...]:
        """The error of every output against its bound; outputs have to be of the right form."""
        if not self._errors:
            self._errors = errors_of(self.outputs, self.case.expected)
        return self._errors

    def again(self, given: Inputs) -> tuple[Tensor, ...]:
        """The outputs of a further call with these inputs, made for a probe."""
        return self.prober.call(self.problem, given)()

    @property
    def is_quick(self) -> bool:
        """Whether calls are short enough for several more of them."""
        return min(self.caller.took_ms) < timing.QUICK_MS

    @property
    def is_long(self) -> bool:
        """Whether calls are too long for even a few more of them."""
        return min(self.caller.took_ms) >= timing.LONG_MS


@dataclass(frozen=True, slots=True)
class Probe:
    """One question about a trial.

    order    its place among the probes: smaller ones come first
    applies  whether the question makes sense for a trial
    find     the fault as text; empty: none. It may leave evidence in the trial
    prepare  computes what the probe needs besides the case's reference, before the implementation
             is called
    other_forms  whether it calls with strides, batches or threads other than those of the case
    """

    order: int
    applies: Callable[[Trial], bool]
    find: Callable[[Trial], str]
    prepare: Callable[[Case, Implementation], None] | None = None
    other_forms: bool = False


def first_fault(trial: Trial, probes: Iterable[Probe]) -> str:
    """The fault of the first probe that finds one, as text; empty: none does.

    Of a group it names the ranks whose rows are wrong.
    """
    for probe in probes:
        if probe.applies(trial) and (fault := probe.find(trial)):
            return f"{fault}; {ranks}" if (ranks := _wrong_ranks(trial)) else fault
    return ""


def _wrong_ranks(trial: Trial) -> str:
    """The ranks whose rows of an output are wrong, as text; empty for one process."""
    own, given = trial.outputs, trial.inputs
    if trial.problem.ranks == 1 or own[0].shape[:3] != given.q.shape[:3]:
        return ""
    return by_rank.named(own, trial.case.expected, trial.problem, trial.implementation)
