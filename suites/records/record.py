"""Records: the result of one implementation on one problem in one session.

Only a record with the status `ok` can carry times: the type refuses anything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, get_args

from impls.interface import Problem
from suites.records.codec import STRICT, Average, Bytes, Count, Growth, Milliseconds, ProblemText
from suites.records.in_model import InModel
from suites.records.kernels import Kernel
from suites.records.on_rank import OnRank
from suites.stats.pairing import counted

Status = Literal[
    "ok", "refused", "missing", "wrong", "failed", "out_of_memory", "timed_out", "crashed"
]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
ANSWERS: Final = ("ok", "refused", "missing", "out_of_memory", "timed_out")
"""Statuses that are results; the others are faults of the implementation."""

Cause = Literal[
    "",
    "limits",
    "not_importable",
    "wrong_output",
    "wrong_when_timed",
    "wrote_read_only",
    "exception",
    "process_state",
    "device_error",
    "unreadable_record",
    "memory_limit",
    "device_memory",
    "foreseen_memory",
    "time_limit",
    "prepare_limit",
    "foreseen_time",
    "budget",
    "silent_session",
    "process_died",
    "pipe_overwritten",
    "no_record",
]
CAUSES: Final[dict[Status, tuple[Cause, ...]]] = {
    "ok": ("",),
    "refused": ("limits",),
    "missing": ("not_importable",),
    "wrong": ("wrong_output", "wrong_when_timed", "wrote_read_only"),
    "failed": ("exception", "process_state", "device_error", "unreadable_record"),
    "out_of_memory": ("memory_limit", "device_memory", "foreseen_memory"),
    "timed_out": ("time_limit", "prepare_limit", "foreseen_time", "budget", "silent_session"),
    "crashed": ("process_died", "pipe_overwritten", "no_record"),
}
"""What a record of each status can be due to; code branches on the cause, never on the reason.

limits             the problem is outside the declared Limits
not_importable     the file of the implementation cannot be imported
wrong_output       the check found a wrong output, gradient or mask
wrong_when_timed   the output was right in the check and wrong in the timed rounds
wrote_read_only    it wrote to inputs, which crashed the process because their pages are read-only
exception          it raised an exception
process_state      it changed state of the process that others depend on
device_error       a kernel failed on the device, after which the process cannot use CUDA
unreadable_record  the stored record is damaged
memory_limit       a call added more than --memory-limit
device_memory      the device's allocator has no memory left
foreseen_memory    growth so far, or the inputs alone, exceed --memory-limit: it was not called
time_limit         its calls took longer than --time-limit
prepare_limit      preparing and compiling took longer than --prepare-limit
foreseen_time      growth so far exceeds --time-limit: it was not called
budget             --budget ended before it was checked or timed
silent_session     the session itself did not answer
process_died       the process ended while it was at work
pipe_overwritten   something else than messages came through the session's pipe
no_record          the session ended without a record of it
"""
FORESEEN: Final[tuple[Cause, ...]] = ("foreseen_memory", "foreseen_time")
"""Causes of records of implementations that were not called because of a forecast."""

HOST_BOUND: Final = 0.25
"""Share of samples with launch time above which a time is host-bound. A lower one hardly moves the
median."""

Pair = tuple[Problem, str]
"""A problem and the name of an implementation."""

CHECK: Final = 0
"""The session number of the check: agreement and memory, in a process of its own, no times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorError:
    """How far one tensor lies from the float64 reference.

    tensor        out, dq, dk or dv
    rms_share     RMS(error) / RMS(bound); agrees up to 2
    worst_share   max(error / bound); agrees up to 16
    relative_rms  RMS(error) / RMS(reference)
    max_error     the largest absolute error
    worst_row     the largest RMS(error) / RMS(reference) of any row, a small one counted as 1e-3 of
                  the whole
    cosine        of the angle between the two, as vectors; None where either is zero
    """

    __pydantic_config__: ClassVar = STRICT

    tensor: str
    rms_share: float
    worst_share: float
    relative_rms: float
    max_error: float
    worst_row: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnInputs:
    """How far the tensors of a call on the user's own inputs lie from the reference.

    file     the name of the inputs' file
    tensors  one entry for each tensor that was compared
    """

    __pydantic_config__: ClassVar = STRICT

    file: str
    tensors: tuple[TensorError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The evidence of a check, for or against an implementation.

    tensors       one entry for each tensor that was compared, on random inputs
    on_inputs     the same on the user's own inputs, for each of their files; empty without any
    rows_checked  query rows compared with the reference; None is all of them
    readout       whether the mask it applies is the problem's, as read out; None: not read out
    repeatable    whether a second call on the same inputs gave the same bits; None: not tested
    slope         in half precision: relative error of the scale, by projecting the error on
                  d out / d log(scale); None: too few outputs
    hard_inputs   small hard inputs on which it agreed; 0: none were used in this check
    repeats       calls on the same inputs whose bits were compared; 0: none
    differing     tensors whose bits differed between these calls
    batch_differs_from  the smallest batch of 2, 4 and 8 in which a row's output has other bits than
                  alone; 0: none of them; None: not tested
    """

    __pydantic_config__: ClassVar = STRICT

    tensors: tuple[TensorError, ...] = ()
    on_inputs: tuple[OnInputs, ...] = ()
    rows_checked: Count | None = None
    readout: bool | None = None
    repeatable: bool | None = None
    slope: float | None = None
    hard_inputs: Count = 0
    repeats: Count = 0
    differing: tuple[str, ...] = ()
    batch_differs_from: Count | None = None

    @property
    def share(self) -> float | None:
        """The largest share of the gate that any tensor used; None: no tensor was compared."""
        every = (*self.tensors, *(t for each in self.on_inputs for t in each.tensors))
        shares = (s for t in every for s in (t.rms_share / 2, t.worst_share / 16))
        return max((math.inf if math.isnan(s) else s for s in shares), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The state of the machine during the rounds of one problem: an entry for each round tried.

    probe_ms              a fixed small matrix product, taken before the round
    run_delay_ms          time the process's threads waited for a CPU; None: not counted here
    involuntary_switches  times it was taken off a CPU
    disturbed             why the round is not quiet; empty when it is
    device                clocks, power, temperature and throttle reasons of an NVIDIA device
    """

    __pydantic_config__: ClassVar = STRICT

    probe_ms: tuple[Milliseconds, ...] = ()
    run_delay_ms: tuple[float | None, ...] = ()
    involuntary_switches: tuple[Count, ...] = ()
    disturbed: tuple[str, ...] = ()
    device: tuple[dict[str, Any], ...] = ()

    @property
    def quiet(self) -> tuple[int, ...]:
        """The rounds that were not disturbed."""
        if not any(self.disturbed):
            return tuple(range(len(self.disturbed)))
        return tuple(index for index, why in enumerate(self.disturbed) if not why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The result of one implementation on one problem in one session.

    session           0 is the check (agreement, memory), 1 and up are timed
    problem           the problem; stored as its text
    implementation    as printed: name[setting=value](inner)
    cause             why it is not ok, from the closed set CAUSES; empty when it is
    reason            the same for people to read; no code branches on it
    prepare_ms        the step before its calls, where it has one: sessions, block masks, graphs
    slip              key of the mistake that explains why it is not ok; empty: no known one does
    cure              the line to change, or the Limits to state; empty: no mistake is known
    first_call_ms     its first call on the problem in the session, with compiling, tuning and masks
    compilations      graphs that torch compiled before it was warm; None: not counted
    compile_ms        milliseconds that torch spent on that; code that the check compiled is
                      loaded; None: not counted
    set_up_bytes      growth of the process's resident memory from its preparation until it was
                      warm; negative where memory was given back
    times_ms          milliseconds for one call, a sample for every round tried, disturbed or not
    twin_ms           the same of the twin: this implementation once more, as an arm of its own; the
                      baseline of the problem alone has one
    again_ms          the same of the baseline once more in another process; only the baseline has
                      them, and only where implementations are measured in several processes
    in_layer_ms       milliseconds of one call and its layer of dense work, within several layers
                      in a row, a sample for each of the same rounds; empty where no savings in a
                      script are estimated
    in_layer_faults   minor page faults for one call and its layer, over those samples
    on_ranks          each rank's part of the call; empty: one process computed it
    host              name of the machine that it was made on; empty in older records
    in_model          times of attention within a model's steps; None for a call alone
    process           the process of the session; empty: the first one
    unbound           why the threads of this process are not bound to CPUs, so that its samples do
                      not pair with those of other processes; empty when they are, or pair with none
    in_rounds         whether the samples were taken in rounds with the others; False for the one
                      sample of a long call, which is taken apart
    conditions        the state of the machine in those rounds
    threads           OpenMP threads of the session
    calls_per_sample  calls that each sample averages over
    clock             how samples are timed: host, events, graph, cold host, ...
    inputs_from       on a GPU with hot caches: where a timed call finds its inputs, L2 or memory
    host_ms           on a GPU: host time to launch one call
    unhidden          on a GPU: share of the samples that hold launch time, because the device
                      waited for the host
    sustained_ms      on a GPU: one call after seconds of calls without a pause
    energy_mj         millijoules of one call, of all that runs on the processor package or GPU
                      meanwhile. On a CPU: over the timed samples of 20 ms and longer. On a GPU:
                      after seconds of calls without a pause
    cross_check_ms    on a GPU: one call as triton.testing.do_bench measures it
    checked_again     whether its time was beyond the ceilings, so that its output was checked once
                      more, on fresh inputs
    peak_bytes        requested bytes above the inputs: output, workspace and what is kept
    kept_bytes        the part of it that the first call keeps: masks, weights, caches
    resident_bytes    growth of the process's resident memory in that call
    mask_bytes        the dense mask that is made before the call and passed to it
    unseen            why requested bytes are not known, as for memory of other libraries
    neighbour_ratio   time of a small product right after its call, over that right after a call of
                      the baseline; None for the baseline itself
    page_faults       minor page faults for one call, over the timed samples
    operator          the kernel that a library picked, where the implementation names it
    kernels           that one call ran, by torch's profiler; empty: none was seen
    fallback          the slow path that ran although none was requested; empty: none
    notes             how its calls differ from those of others, as gradients by backward()
    spent_ms          wall time of the check's quickest call, for forecasts only
    calls_ms          wall time spent inside its calls, timed or not, in this session

    None is "not measured", zero is zero. Raises ValueError for times without an `ok`
    and for one that is not a finite number from 0 up.
    """

    __pydantic_config__: ClassVar = STRICT

    session: Count
    problem: ProblemText
    implementation: str
    status: Status
    cause: Cause = ""
    reason: str = ""
    slip: str = ""
    cure: str = ""
    agreement: Agreement | None = None
    prepare_ms: Milliseconds | None = None
    first_call_ms: Milliseconds | None = None
    compilations: Count | None = None
    compile_ms: Milliseconds | None = None
    set_up_bytes: Growth | None = None
    times_ms: tuple[Milliseconds, ...] = field(default=())
    twin_ms: tuple[Milliseconds, ...] = field(default=())
    again_ms: tuple[Milliseconds, ...] = field(default=())
    in_layer_ms: tuple[Milliseconds, ...] = field(default=())
    in_layer_faults: Average | None = None
    on_ranks: tuple[OnRank, ...] = ()
    host: str = ""
    in_model: InModel | None = None
    process: str = ""
    unbound: str = ""
    in_rounds: bool = True
    conditions: Conditions | None = None
    threads: Count | None = None
    calls_per_sample: Count | None = None
    clock: str = ""
    inputs_from: Literal["", "L2", "memory"] = ""
    host_ms: Milliseconds | None = None
    unhidden: Average | None = None
    sustained_ms: Milliseconds | None = None
    energy_mj: Average | None = None
    cross_check_ms: Milliseconds | None = None
    checked_again: bool = False
    peak_bytes: Bytes | None = None
    kept_bytes: Bytes | None = None
    resident_bytes: Bytes | None = None
    mask_bytes: Bytes | None = None
    unseen: str = ""
    neighbour_ratio: Average | None = None
    page_faults: Average | None = None
    operator: str = ""
    kernels: tuple[Kernel, ...] = ()
    fallback: str = ""
    notes: tuple[str, ...] = ()
    spent_ms: Milliseconds | None = None
    calls_ms: Milliseconds | None = None

    def __post_init__(self) -> None:
        self._expect_a_cause()
        self._expect_times_of_ok()
        self._expect_equal_counts()

    def _expect_a_cause(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r}; expected one of {', '.join(STATUSES)}")
        if self.cause not in CAUSES[self.status]:
            raise ValueError(
                f"cause {self.cause!r} of a record that is {self.status!r}; "
                f"expected one of {', '.join(map(repr, CAUSES[self.status]))}"
            )
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a record that is {self.status!r} needs a reason")

    def _expect_times_of_ok(self) -> None:
        set_up = (self.prepare_ms, self.first_call_ms)
        timed = bool(self.times_ms) or any(each is not None for each in set_up)
        if timed and self.status != "ok":
            raise ValueError(f"only an ok record carries times, got {self.status!r}")
        if timed and self.session == CHECK:
            raise ValueError("the check takes no times; expected a session of 1 or more")
        if self.status == "ok" and self.session != CHECK and not self.times_ms:
            raise ValueError("an ok record of a timed session needs times")
        every = (*self.times_ms, *self.twin_ms, *self.again_ms, *self.in_layer_ms)
        odd = [t for t in every if not 0 <= t < math.inf]
        if odd:
            raise ValueError(f"a time of {odd[0]} ms; expected a number from 0 up")

    def _expect_equal_counts(self) -> None:
        beside = (("the twin", self.twin_ms), ("the twin", self.again_ms))
        for what, samples in (*beside, ("the layer", self.in_layer_ms)):
            if len(samples) not in (0, len(self.times_ms)):
                raise ValueError(
                    f"{len(samples)} samples of {what} beside {len(self.times_ms)}; "
                    "expected equal counts: they share their rounds"
                )
        tried = len(self.conditions.disturbed) if self.conditions else 0
        if tried not in (0, len(self.times_ms)):
            raise ValueError(
                f"conditions of {tried} rounds beside {len(self.times_ms)} samples; "
                "expected equal counts: a round gives one sample"
            )

    @property
    def pair(self) -> Pair:
        """The problem and the implementation."""
        return self.problem, self.implementation

    @property
    def key(self) -> tuple[int, Problem, str]:
        """What a run holds at most once."""
        return self.session, self.problem, self.implementation

    @property
    def host_bound(self) -> bool:
        """Whether its times are launch times of the host, not times of the device."""
        return (self.unhidden or 0) > HOST_BOUND

    @property
    def rounds(self) -> tuple[int, ...]:
        """The rounds that figures are computed from, as `counted` chooses them."""
        quiet = self.conditions.quiet if self.conditions is not None else ()
        return counted(quiet, len(self.times_ms))

    @property
    def quiet_rounds(self) -> tuple[int, ...]:
        """The rounds that were not disturbed; all where the conditions are not known."""
        known = self.conditions is not None and self.conditions.disturbed
        return self.conditions.quiet if known and self.conditions else self.rounds

    @property
    def disturbed_rounds(self) -> int:
        """How many of the rounds tried were disturbed."""
        return sum(map(bool, self.conditions.disturbed)) if self.conditions else 0
