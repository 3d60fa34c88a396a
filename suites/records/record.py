"""What was learnt about one implementation on one problem, and the rule that times need an `ok`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from suites.stats.pairing import counted

Status = Literal[
    "ok", "refused", "missing", "wrong", "failed", "out_of_memory", "timed_out", "crashed"
]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
ANSWERS: Final = ("ok", "refused", "missing", "out_of_memory", "timed_out")
"""Statuses that tell something true of an implementation; the others are faults."""

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

    tensor: str
    rms_share: float
    worst_share: float
    relative_rms: float
    max_error: float
    worst_row: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The evidence that an implementation computed what was asked, or did not.

    tensors       one entry for each tensor that was compared
    rows_checked  query rows compared with the reference; None is all of them
    readout       whether the mask it saw, read out, is the mask asked for; None: not read out
    repeatable    whether a second call on the same inputs gave the same bits; None: not asked
    slope         in half precision: how far the scale lies off, relative, by the error's part
                  along its derivative; None: too few outputs to tell
    hard_inputs   hard inputs of small sizes that it answered right; 0: none were asked here
    """

    tensors: tuple[TensorError, ...] = ()
    rows_checked: int | None = None
    readout: bool | None = None
    repeatable: bool | None = None
    slope: float | None = None
    hard_inputs: int = 0

    @property
    def share(self) -> float | None:
        """The largest part of what the gate allows that any tensor used; None: nothing compared."""
        shares = (s for t in self.tensors for s in (t.rms_share / 2, t.worst_share / 16))
        return max((math.inf if math.isnan(s) else s for s in shares), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the machine did while the rounds of one problem ran: one entry for each round tried.

    probe_ms              a fixed small matrix product, taken before the round
    run_delay_ms          time the process's threads waited for a CPU; None: not told here
    involuntary_switches  times it was taken off a CPU
    disturbed             why the round does not count as quiet, in words; empty when it does
    device                clocks, power, temperature and throttle reasons of an NVIDIA device
    """

    probe_ms: tuple[float, ...] = ()
    run_delay_ms: tuple[float | None, ...] = ()
    involuntary_switches: tuple[int, ...] = ()
    disturbed: tuple[str, ...] = ()
    device: tuple[dict[str, Any], ...] = ()

    @property
    def quiet(self) -> tuple[int, ...]:
        """The rounds that nothing disturbed."""
        if not any(self.disturbed):
            return tuple(range(len(self.disturbed)))
        return tuple(index for index, why in enumerate(self.disturbed) if not why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One session's answer of one implementation to one problem.

    session           0 is the check (agreement, memory), 1 and up are timed
    problem           as printed, which is also its key
    implementation    as printed: name[setting=value](inner)
    reason            why it is not ok, in words
    first_call_ms     the first call of the session: compiling, tuning and building masks included
    times_ms          milliseconds for one call, a sample for every round tried, disturbed or not
    twin_ms           the same of the twin: this implementation once more, as an arm of its own.
                      The baseline of the problem has one; nobody else
    in_rounds         whether the samples were taken in rounds with the others; False: apart from
                      them, as the one call after the first is where a call takes long
    conditions        what the machine did in those rounds
    threads           OpenMP threads of the session
    calls_per_sample  calls that each sample averages over
    clock             how samples are timed: host, events, graph, cold host, ...
    host_ms           on a GPU: what the host takes to ask for one call
    sustained_ms      on a GPU: one call after seconds without a rest
    cross_check_ms    on a GPU: one call as triton.testing.do_bench takes it, by itself
    checked_again     whether its time was beyond what the machine can do, so that its answer was
                      compared once more, on fresh inputs
    peak_bytes        requested bytes above the inputs: output, workspace and what is kept
    kept_bytes        the part of it that the first call makes and keeps: masks, weights, caches
    resident_bytes    growth of the process's resident memory in that call
    page_faults       minor page faults for one call, over the timed samples
    operator          the kernel that a library picked, where it tells
    spent_ms          wall time of the check's quickest call; plans are made from it, nothing else
    calls_ms          wall time spent inside its calls, timed or not, in this session

    None is "not measured", zero is zero. Raises ValueError for times without an `ok`
    and for one that is no number from 0 up.
    """

    session: int
    problem: str
    implementation: str
    status: Status
    reason: str = ""
    agreement: Agreement | None = None
    first_call_ms: float | None = None
    times_ms: tuple[float, ...] = field(default=())
    twin_ms: tuple[float, ...] = field(default=())
    in_rounds: bool = True
    conditions: Conditions | None = None
    threads: int | None = None
    calls_per_sample: int | None = None
    clock: str = ""
    host_ms: float | None = None
    sustained_ms: float | None = None
    cross_check_ms: float | None = None
    checked_again: bool = False
    peak_bytes: int | None = None
    kept_bytes: int | None = None
    resident_bytes: int | None = None
    page_faults: float | None = None
    operator: str = ""
    spent_ms: float | None = None
    calls_ms: float | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r}; expected one of {', '.join(STATUSES)}")
        timed = bool(self.times_ms) or self.first_call_ms is not None
        if timed and self.status != "ok":
            raise ValueError(f"only an ok record carries times, got {self.status!r}")
        if timed and self.session == CHECK:
            raise ValueError("the check takes no times; expected a session of 1 or more")
        if self.status == "ok" and self.session != CHECK and not self.times_ms:
            raise ValueError("an ok record of a timed session needs times")
        odd = [t for t in (*self.times_ms, *self.twin_ms) if not 0 <= t < math.inf]
        if odd:
            raise ValueError(f"a time of {odd[0]} ms; expected a number from 0 up")
        if self.twin_ms and len(self.twin_ms) != len(self.times_ms):
            raise ValueError(
                f"{len(self.twin_ms)} samples of the twin beside {len(self.times_ms)}; "
                "expected as many: they stand in the same rounds"
            )
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a record that is {self.status!r} says why")

    @property
    def key(self) -> tuple[int, str, str]:
        """What a run holds at most once."""
        return self.session, self.problem, self.implementation

    @property
    def rounds(self) -> tuple[int, ...]:
        """The rounds that figures are made from, as `counted` says."""
        quiet = self.conditions.quiet if self.conditions is not None else ()
        return counted(quiet, len(self.times_ms))

    @property
    def disturbed_rounds(self) -> int:
        """How many of the rounds tried were disturbed."""
        return sum(map(bool, self.conditions.disturbed)) if self.conditions else 0


def to_json(record: Record) -> dict[str, Any]:
    """A record as plain data, for pipes and stores."""
    data = _told(record)
    if record.agreement is not None:
        data["agreement"] = _told(record.agreement)
        data["agreement"]["tensors"] = [_told(each) for each in record.agreement.tensors]
    if record.conditions is not None:
        data["conditions"] = _told(record.conditions)
    return data


def _told(made: Record | Agreement | TensorError | Conditions) -> dict[str, Any]:
    """The fields by their names, as `asdict` does it, whose copies take ten times as long."""
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


def from_json(data: dict[str, Any]) -> Record:
    """A record from `to_json`'s data. Raises ValueError or TypeError for anything else."""
    agreement, conditions = data.get("agreement"), data.get("conditions")
    if agreement is not None:
        tensors = tuple(TensorError(**each) for each in agreement.get("tensors", ()))
        agreement = Agreement(**{**agreement, "tensors": tensors})
    if conditions is not None:
        conditions = Conditions(**{name: tuple(each) for name, each in conditions.items()})
    lists = {name: tuple(data.get(name, ())) for name in ("times_ms", "twin_ms")}
    return Record(**{**data, **lists, "agreement": agreement, "conditions": conditions})
