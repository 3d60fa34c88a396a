"""What was learnt about one implementation on one problem, and the rule that times need an `ok`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, get_args

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
    """

    tensor: str
    rms_share: float
    worst_share: float
    relative_rms: float
    max_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The evidence that an implementation computed what was asked, or did not.

    tensors       one entry for each tensor that was compared
    rows_checked  query rows compared with the reference; None is all of them
    readout       whether the mask it saw, read out, is the mask asked for; None: not read out
    """

    tensors: tuple[TensorError, ...] = ()
    rows_checked: int | None = None
    readout: bool | None = None

    @property
    def share(self) -> float | None:
        """The largest part of what the gate allows that any tensor used; None: nothing compared."""
        shares = (s for t in self.tensors for s in (t.rms_share / 2, t.worst_share / 16))
        return max((math.inf if math.isnan(s) else s for s in shares), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One session's answer of one implementation to one problem.

    session           0 is the check (agreement, memory), 1 and up are timed
    problem           as printed, which is also its key
    implementation    as printed: name[setting=value](inner)
    reason            why it is not ok, in words
    first_call_ms     the first call of the session: compiling, tuning and building masks included
    times_ms          per timed sample, milliseconds for one call
    calls_per_sample  calls that each sample averages over
    peak_bytes        requested bytes above the inputs: output, workspace and what is kept
    kept_bytes        the part of it that the first call makes and keeps: masks, weights, caches
    resident_bytes    growth of the process's resident memory in that call
    page_faults       minor page faults for one call, over the timed samples
    operator          the kernel that a library picked, where it tells
    spent_ms          wall time of the check's quickest call; plans are made from it, nothing else

    None is "not measured", zero is zero. Raises ValueError for times without an `ok`.
    """

    session: int
    problem: str
    implementation: str
    status: Status
    reason: str = ""
    agreement: Agreement | None = None
    first_call_ms: float | None = None
    times_ms: tuple[float, ...] = field(default=())
    calls_per_sample: int | None = None
    peak_bytes: int | None = None
    kept_bytes: int | None = None
    resident_bytes: int | None = None
    page_faults: float | None = None
    operator: str = ""
    spent_ms: float | None = None

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
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a record that is {self.status!r} says why")

    @property
    def key(self) -> tuple[int, str, str]:
        """What a run holds at most once."""
        return self.session, self.problem, self.implementation


def to_json(record: Record) -> dict[str, Any]:
    """A record as plain data, for pipes and stores."""
    return asdict(record)


def from_json(data: dict[str, Any]) -> Record:
    """A record from `to_json`'s data. Raises ValueError or TypeError for anything else."""
    agreement = data.get("agreement")
    if agreement is not None:
        tensors = tuple(TensorError(**each) for each in agreement.get("tensors", ()))
        agreement = Agreement(**{**agreement, "tensors": tensors})
    return Record(**{**data, "agreement": agreement, "times_ms": tuple(data.get("times_ms", ()))})
