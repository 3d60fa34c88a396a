"""Messages that a session sends while it does a task: typed values."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from impls.interface.reading import Reading
from suites.records.codec import LimitsData, Milliseconds, ProblemText, message
from suites.records.facts import SessionFacts
from suites.records.input_files import InputFile
from suites.records.learning import Training
from suites.records.plan import Entry
from suites.records.profile import Profile
from suites.records.record import Record
from suites.records.weights import Weights


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
class ProfileTaken:
    """A profile."""

    kind: Literal["profile"] = "profile"
    profile: Profile


@message
class Trained:
    """A model that was trained."""

    kind: Literal["trained"] = "trained"
    training: Training


@message
class WeightsRead:
    """Attention weights."""

    kind: Literal["weights"] = "weights"
    weights: Weights


@message
class Surveyed:
    """The facts of the session."""

    kind: Literal["surveyed"] = "surveyed"
    facts: SessionFacts


@message
class Listed:
    """The machine and its implementations.

    machine    as suites.measure.machine reads it
    positions  of the spec that selected each entry
    """

    kind: Literal["listed"] = "listed"
    machine: dict[str, Any]
    entries: tuple[Entry, ...]
    positions: tuple[int, ...] = ()


@message
class Refused:
    """The requested inputs or specs cannot be used, for this reason."""

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
class InputsDescribed:
    """The files that were described, in their order."""

    kind: Literal["inputs described"] = "inputs described"
    files: tuple[InputFile, ...]


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
    | ProfileTaken
    | Trained
    | WeightsRead
    | Surveyed
    | Listed
    | Refused
    | ReadingsChosen
    | InputsDescribed
    | Calibrated
    | InstrumentsRead
)

MESSAGE: Final[Any] = Annotated[Message, Field(discriminator="kind")]
"""The union as the codec reads it."""
