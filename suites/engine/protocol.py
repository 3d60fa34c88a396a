"""Tasks that a run gives to its sessions, and messages that come back: typed values."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from impls.interface.reading import Reading
from suites.records.codec import Bytes, LimitsData, Milliseconds, ProblemText, message
from suites.records.facts import SessionFacts
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.settings import Settings
from suites.stats.ceilings import Ceiling


@message
class Wait:
    """Finished as soon as the session has imported what it needs."""

    task: Literal["wait"] = "wait"


@message
class ListImplementations:
    """Describe the machine, and the implementations that specs select.

    specs    as typed; None selects all
    without  files that ended an earlier session, by path, with the reason
    cores    CPUs that the program may use
    cuda_device  the NVIDIA device that was chosen, as typed; "": none
    """

    task: Literal["list implementations"] = "list implementations"
    specs: tuple[str, ...] | None
    without: dict[str, str]
    cores: int
    cuda_device: str = ""


@message
class ChooseReadings:
    """Choose how an implementation of another convention is called, by trials on small problems.

    files     as in a check
    problems  of the plan, on its device
    """

    task: Literal["choose readings"] = "choose readings"
    implementation: str
    files: dict[str, str]
    problems: tuple[ProblemText, ...]
    seed: int


@message
class Survey:
    """Report the facts of the session.

    session    its number
    devices    devices whose ceilings are measured
    dtypes     dtypes of the matrix products among them
    budget_ms  what finding one ceiling may take
    warms_up   whether an NVIDIA device is warmed up before
    """

    task: Literal["survey"] = "survey"
    session: int
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    budget_ms: Milliseconds
    warms_up: bool = False


@message
class _OnProblem:
    """What every task on one problem names.

    implementations  names, as printed
    files            by name: the files that an implementation needs, by the names they define
    hashes           by name: the SHA-256 of these files, as the plan has them
    readings         by name: how each of these is called, where trials chose
    settings         of the plan
    """

    session: int
    problem: ProblemText
    implementations: tuple[str, ...]
    files: dict[str, dict[str, str]]
    hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    readings: dict[str, dict[str, Reading]] = field(default_factory=dict)
    seed: int
    settings: Settings


@message
class Check(_OnProblem):
    """Check the agreement of implementations, and measure their memory."""

    task: Literal["check"] = "check"


@message
class Measure(_OnProblem):
    """Time implementations in rounds.

    expected_ms      a call of each implementation as forecast; 0 is not known
    round_budget_ms  what the rounds may take
    threads          OpenMP threads of the session
    twin_of          the implementation that has a twin; "" for none
    ceilings         of this session, as surveyed
    sampler          how the calls were timed when an earlier session decided it; "" decides it now
    uncapturable     why implementations cannot be captured as a CUDA graph, by name
    """

    task: Literal["measure"] = "measure"
    expected_ms: dict[str, Milliseconds] = field(default_factory=dict)
    round_budget_ms: Milliseconds
    threads: int
    twin_of: str = ""
    ceilings: tuple[Ceiling, ...] = ()
    sampler: Literal["", "graph", "events"] = ""
    uncapturable: dict[str, str] = field(default_factory=dict)


@message
class Calibrate(Measure):
    """Time a baseline, its twin, a copy slower by a known part, and implementations beside them.

    slowed  the part by which the copy is slower
    """

    task: Literal["calibrate"] = "calibrate"  # type: ignore[assignment] # its own tag
    slowed: float


@message
class ReadInstruments:
    """Read the instruments where the true value is known.

    known_bytes  size of an operation whose memory is measured
    """

    task: Literal["read instruments"] = "read instruments"
    known_bytes: Bytes
    device: str


Task: TypeAlias = (
    Wait
    | ListImplementations
    | ChooseReadings
    | Survey
    | Check
    | Measure
    | Calibrate
    | ReadInstruments
)


@message
class Answered:
    """The task is finished."""

    kind: Literal["answered"] = "answered"


@message
class Begin:
    """An implementation is at work from now on.

    problem  None while a file is imported
    """

    kind: Literal["begin"] = "begin"
    problem: ProblemText | None
    implementation: str


@message
class Prepares:
    """The implementation at work prepares or compiles from now on, or no longer does.

    Preparing has a time limit of its own.
    """

    kind: Literal["prepares"] = "prepares"
    begins: bool


@message
class Rest:
    """The engine itself is at work from now on."""

    kind: Literal["rest"] = "rest"


@message
class TakeTurns:
    """Implementations take turns from now on; shared memory says which one is at work."""

    kind: Literal["take turns"] = "take turns"
    problem: ProblemText
    implementations: tuple[str, ...]


@message
class Risk:
    """The next call may crash the process for a known reason; an empty one ends that."""

    kind: Literal["risk"] = "risk"
    reason: str


@message
class LeftThreads:
    """An implementation left threads, which may end the process later."""

    kind: Literal["left threads"] = "left threads"
    implementation: str


@message
class Uncapturable:
    """A capture of this implementation as a CUDA graph failed; the process ends.

    The problem is measured in a new process, where all its calls are timed by events.
    """

    kind: Literal["uncapturable"] = "uncapturable"
    implementation: str
    reason: str


@message
class Made:
    """A record."""

    kind: Literal["record"] = "record"
    record: Record


@message
class Surveyed:
    """The facts of the session."""

    kind: Literal["surveyed"] = "surveyed"
    facts: SessionFacts


@message
class Listed:
    """The machine and its implementations.

    machine  as suites.measure.machine reads it
    """

    kind: Literal["listed"] = "listed"
    machine: dict[str, Any]
    entries: tuple[Entry, ...]


@message
class Refused:
    """The specs select nothing that can be used, for this reason."""

    kind: Literal["refused"] = "refused"
    reason: str


@message
class ReadingsChosen:
    """How an implementation is called.

    readings  by the name of the part
    limits    of the implementation called so; empty: as they were
    doubt     what the trials gave where no reading was right
    cannot_be_called  whether every call raised, at every size
    """

    kind: Literal["readings chosen"] = "readings chosen"
    readings: dict[str, Reading]
    limits: tuple[LimitsData, ...] = ()
    doubt: str = ""
    cannot_be_called: bool = False


@message
class Calibrated:
    """Times where the truth is known.

    times_ms  by arm, a sample a round
    quiet     rounds that nothing disturbed
    truth     how many times slower the slowed arm is
    """

    kind: Literal["calibrated"] = "calibrated"
    times_ms: dict[str, tuple[Milliseconds, ...]]
    quiet: tuple[int, ...]
    truth: float


@message
class InstrumentsRead:
    """What the instruments read.

    read_bytes          memory of the operation of known size
    resolution_ms       the smallest step of the clock
    sample_overhead_ms  a sample of nothing
    call_overhead_ms    what a sample adds to each of its calls
    """

    kind: Literal["instruments read"] = "instruments read"
    read_bytes: int
    resolution_ms: Milliseconds
    sample_overhead_ms: Milliseconds
    call_overhead_ms: Milliseconds


Message: TypeAlias = (
    Answered
    | Begin
    | Prepares
    | Rest
    | TakeTurns
    | Risk
    | LeftThreads
    | Uncapturable
    | Made
    | Surveyed
    | Listed
    | Refused
    | ReadingsChosen
    | Calibrated
    | InstrumentsRead
)

TASK: Final[Any] = Annotated[Task, Field(discriminator="task")]
MESSAGE: Final[Any] = Annotated[Message, Field(discriminator="kind")]
"""The unions as the codec reads them."""
