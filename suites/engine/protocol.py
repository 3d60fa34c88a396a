"""Tasks that a run gives to its sessions: typed values."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from impls.interface.reading import Reading
from suites.records.codec import Bytes, Count, Milliseconds, ProblemText, message
from suites.records.input_files import InputFile
from suites.records.settings import Settings
from suites.stats.ceilings import Ceiling


@message
class Wait:
    """Finished as soon as the session has imported what it needs."""

    task: Literal["wait"] = "wait"


@message
class ListImplementations:
    """Describe the machine, and the implementations that specs select.

    specs    as typed, or impls.EVERY; None selects all
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
class ImportLibraries:
    """Import the packages that an implementation needs beside torch.

    files  as in a check
    """

    task: Literal["import libraries"] = "import libraries"
    implementation: str
    files: dict[str, str]


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
class DescribeInputs:
    """Describe files with the user's own tensors.

    paths   absolute
    device  of a call whose file names none
    dtypes  further ones that the tensors will be converted to
    """

    task: Literal["describe inputs"] = "describe inputs"
    paths: tuple[str, ...]
    device: str
    dtypes: tuple[str, ...] = ()


@message
class Survey:
    """Report the facts of the session.

    session    its number
    devices    devices whose ceilings are measured
    dtypes     dtypes of the matrix products among them
    budget_ms  what finding one ceiling may take
    process    the name of the process in the session; "" is the first one
    warms_up   whether an NVIDIA device is warmed up before
    """

    task: Literal["survey"] = "survey"
    session: int
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    budget_ms: Milliseconds
    process: str = ""
    warms_up: bool = False


@message
class _OnProblem:
    """What every task on one problem names.

    implementations  names, as printed
    specs            by name: what its files define, where the run gives it another name
    files            by name: the files that an implementation needs, by the names they define
    hashes           by name: the SHA-256 of these files, as the plan has them
    readings         by name: how each of these is called, where trials chose
    settings         of the plan
    inputs           files with the user's own tensors; empty: all inputs are random
    process          the name of the process that does this task; "" is the first one
    alone            whether the process is of one implementation, which may change its state
    """

    session: int
    problem: ProblemText
    implementations: tuple[str, ...]
    specs: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, str]]
    hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    readings: dict[str, dict[str, Reading]] = field(default_factory=dict)
    seed: int
    settings: Settings
    inputs: tuple[InputFile, ...] = ()
    process: str = ""
    alone: bool = False


@message
class Check(_OnProblem):
    """Check the agreement of implementations, and measure their memory.

    one_size  whether slow starts that compile get small inputs of one size only
    """

    task: Literal["check"] = "check"
    one_size: bool = False


@message
class Measure(_OnProblem):
    """Time implementations in rounds.

    expected_ms      a call of each implementation as forecast; 0 is not known
    round_budget_ms  what the rounds may take
    fewest_rounds    that are run even if they take some times the budget; 0: the usual ones
    in_layer         whether calls are timed a second time inside layers of dense work
    threads          OpenMP threads of the session
    twin_of          the implementation that has a twin; "" for none
    ceilings         of this session, as surveyed
    sampler          how the calls were timed when an earlier session decided it; "" decides it now
    uncapturable     why implementations cannot be captured as a CUDA graph, by name
    meeting          the address of a socket where the processes of a problem meet; "": one process
    followers        processes that this one leads: they take their samples at its word
    role             leads: the rounds are its own; follows: it takes its samples in the rounds of
                     another process; twin: it follows with the baseline, and makes no records
    """

    task: Literal["measure"] = "measure"
    expected_ms: dict[str, Milliseconds] = field(default_factory=dict)
    round_budget_ms: Milliseconds
    fewest_rounds: Count = 0
    in_layer: bool = False
    threads: int
    twin_of: str = ""
    ceilings: tuple[Ceiling, ...] = ()
    sampler: Literal["", "graph", "events"] = ""
    uncapturable: dict[str, str] = field(default_factory=dict)
    meeting: str = ""
    followers: Count = 0
    role: Literal["leads", "follows", "twin"] = "leads"


@message
class TakeProfile(_OnProblem):
    """Profile one implementation on a problem.

    threads  OpenMP threads of the session
    folder   for the trace, and for the memory snapshot of an NVIDIA device
    stem     how the names of these files start
    """

    task: Literal["take profile"] = "take profile"
    threads: int
    folder: str
    stem: str


@message
class Train(_OnProblem):
    """Train a small model with one implementation inside.

    learns   the task of the model, a name of suites.learning.tasks
    steps    of the training
    threads  OpenMP threads of the session
    """

    task: Literal["train"] = "train"
    learns: str
    steps: Count
    threads: int


@message
class ReadWeights(_OnProblem):
    """Read the attention weights of one implementation out of its outputs."""

    task: Literal["read weights"] = "read weights"


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
    | ImportLibraries
    | ChooseReadings
    | DescribeInputs
    | Survey
    | Check
    | Measure
    | TakeProfile
    | Train
    | ReadWeights
    | Calibrate
    | ReadInstruments
)

TASK: Final[Any] = Annotated[Task, Field(discriminator="task")]
"""The union as the codec reads it."""
