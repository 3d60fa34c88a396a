"""The plan of a run, stored before its first record so that the run can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final

from impls.interface import Problem
from impls.interface.implementation import of_panel, refusals
from impls.interface.reading import Reading
from suites.records.cases import Case, Step
from suites.records.codec import STRICT, TOO_LARGE, LimitsData, ProblemText
from suites.records.input_files import InputFile
from suites.records.record import CHECK, Cause, Pair, Record, Status
from suites.records.revision import Revision
from suites.records.settings import Settings

AGAIN: Final = "baseline again"
"""The process that measures the baseline once more: the noise floor between processes."""
FEWEST_SPLIT: Final = 5
"""Sessions at least where implementations have several processes: each session has new ones, which
differ more than the rounds of one process."""
Work = tuple[Problem, list[str]]
"""A problem and the implementations that have something to do on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An implementation as data, so that the parent need not import it.

    name         as printed: name[setting=value](inner)
    spec         what its files define, as printed, where the run gives it another name; else empty
    files        the files it needs, by the names they define, and their SHA-256 (first 16 digits)
    limits       its Limits; those of an inner attention stand in `inner_limits`
    panel        the implementations it is ranked with: attention, layers, approximations, or those
                 that share its own reference
    missing      why it cannot be imported here; empty when it can. Its limits are empty where its
                 file does not import
    description  the first line of its docstring
    states_limits  whether its author declared the limits
    needs_trial  whether small calls choose how it is called: it states no limits, or follows
                 another convention than the contract
    readings     how each part with such a convention is called, as trials chose
    doubt        what the trials gave where no reading was right; empty otherwise
    fault        the exception of every trial, where all of them raised one; empty otherwise
    library      the package that it needs beside torch, with its version; empty for none
    slow_start   whether its set-up takes longer than a second
    apart        why it is measured in a process of its own; empty: it shares one
    python       the interpreter that measures it, where that is not the program's own
    environment  of that interpreter: the versions of Python and torch; empty for the program's own
    process      the process of a session that measures it, by name; empty: the first one, in which
                 all others are
    revision     the commit of the user's file; None where no repository holds it
    ran_on       where and when its authors ran it, "" for never; None where the tests run it
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    spec: str = ""
    files: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    limits: tuple[LimitsData, ...] = ()
    inner_limits: tuple[LimitsData, ...] = ()
    choices: dict[str, list[str]] = field(default_factory=dict)
    panel: str = "attention"
    missing: str = ""
    description: str = ""
    states_limits: bool = True
    needs_trial: bool = False
    readings: dict[str, Reading] = field(default_factory=dict)
    doubt: str = ""
    fault: str = ""
    library: str = ""
    slow_start: bool = False
    apart: str = ""
    process: str = ""
    python: str = ""
    environment: str = ""
    ran_on: str | None = None
    revision: Revision | None = None

    @property
    def defined(self) -> str:
        """What its files define: its name, unless the run gives it another one."""
        return self.spec or self.name

    @property
    def layer(self) -> bool:
        """Whether it is a layer around attention."""
        return self.panel.startswith("layers")

    def group(self, problem: Problem) -> str:
        """The group of benchmarks it is ranked in: one for each problem and panel."""
        return f"{problem}" if self.panel == "attention" else f"{problem} {self.panel}"

    def accepts_any(self, problems: Iterable[Problem], capability: tuple[int, int] | None) -> bool:
        """Whether any of these problems is within its limits."""
        return any(not self.refusals(problem, capability) for problem in problems)

    def refusals(self, problem: Problem, capability: tuple[int, int] | None) -> tuple[str, ...]:
        """Every reason this problem is out of reach, in words; empty means "I can"."""
        own = (
            *of_panel(problem, self.panel),
            *refusals(self.limits, problem, capability),
        )
        if not self.inner_limits:
            return own
        return (*own, *(f"inner {r}" for r in refusals(self.inner_limits, problem, capability)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Settings):
    """Problems, implementations, and the settings they are measured with.

    seed             of inputs and orders
    round_budget_ms  what the rounds of one problem may take in one session
    capability       compute capability of the NVIDIA device; None without one
    fewest_sessions  timed sessions before a precision may end them
    baseline         the implementation named with --against; "" is none. Runs of older versions
                     have their default baseline here
    baselines        by device: the default baselines, the first choice first
    enough_s         sessions beyond the fewest end within so many seconds; None: no such limit
    device_memory_limit  bytes that one call may add on a GPU; None without one
    named            implementations that were named with --impl: the run has to time each of them
    across           whether implementations of other panels are compared with the baseline, too
    left_out         implementations that take no part because of their slow start
    attempts         whether a length that would exceed the memory, by the growth of its bytes, is
                     attempted, rather than foreseen
    cases            where problems come from: labels, sources and counts; empty without these
    steps            recorded steps that cases refer to; empty where nothing was recorded
    inputs           files with the user's own tensors; empty: all inputs are random
    """

    __pydantic_config__: ClassVar[Any] = STRICT

    suite: str
    problems: tuple[ProblemText, ...]
    entries: tuple[Entry, ...]
    seed: int
    round_budget_ms: float
    capability: tuple[int, int] | None = None
    fewest_sessions: int = 0
    baseline: str = ""
    baselines: dict[str, tuple[str, ...]] = field(default_factory=dict)
    enough_s: float | None = None
    device_memory_limit: int | None = None
    named: tuple[str, ...] = ()
    across: bool = False
    left_out: tuple[str, ...] = ()
    attempts: bool = False
    cases: tuple[Case, ...] = ()
    steps: tuple[Step, ...] = ()
    inputs: tuple[InputFile, ...] = ()

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
        values = (*(getattr(self, each.name) for each in fields(self)), *self.threads)
        for fault, sound in {
            "no number of threads": bool(self.threads) and min(self.threads) > 0,
            "fewer than 0 sessions": self.sessions >= 0,
            "an implementation twice": len(set(names)) == len(names),
            "a number that is not finite, or too large to store": all(
                abs(value) < TOO_LARGE for value in values if isinstance(value, (int, float))
            ),
            "a problem twice": len(set(self.problems)) == len(self.problems),
        }.items():
            if not sound:
                raise ValueError(f"the plan has {fault}")

    def case_labels(self, problem: Problem) -> tuple[str, ...]:
        """The labels of a problem's cases, each once; empty without one."""
        own = (case.label for case in self.cases if case.problem == problem)
        return tuple(dict.fromkeys(filter(None, own)))

    def inputs_of(self, problem: Problem) -> tuple[InputFile, ...]:
        """The files with the user's own tensors of a problem; empty: its inputs are random."""
        return tuple(file for file in self.inputs if file.problem == problem)

    @property
    def doubts(self) -> list[str]:
        """A line for each implementation that no reading of its parameters made right."""
        return [f"{entry.name}: {entry.doubt}" for entry in self.entries if entry.doubt]

    @property
    def session_numbers(self) -> range:
        """The timed sessions, for all numbers of threads together."""
        return range(1, self.sessions * len(self.threads) + 1)

    @property
    def fewest(self) -> int:
        """The number of the last session that every run has."""
        return self.fewest_sessions * len(self.threads)

    def memory_limit_on(self, device: str) -> int:
        """Bytes that one call may add on a device: in the machine's memory, or in the GPU's own."""
        if device == "cpu" or self.device_memory_limit is None:
            return self.memory_limit
        return self.device_memory_limit

    def threads_of(self, session: int) -> int:
        """OpenMP threads of a session; the check has the most."""
        if session == CHECK:
            return max(self.threads)
        return self.threads[(session - 1) % len(self.threads)]

    def baseline_of(self, names: Collection[str], device: str) -> str:
        """The baseline of these implementations on one problem; "" where there are none.

        The first choice of the device that is among them, else the first in the plan's order: times
        do not decide it. Every panel is compared within itself.
        """
        able = [entry.name for entry in self.entries if entry.name in names]
        wanted = (name for name in self._wanted(device) if name in able)
        return next(wanted, next(iter(able), ""))

    def wanted_baseline(self, problem: Problem) -> str:
        """The first choice for a problem whose limits accept it; "" for none."""
        entries = {entry.name: entry for entry in self.entries if not entry.missing}
        accepting = (
            name
            for name in self._wanted(problem.device)
            if name in entries and not entries[name].refusals(problem, self.capability)
        )
        return next(accepting, "")

    @property
    def wanted_baselines(self) -> dict[str, list[str]]:
        """By device: the first choices for its problems, in the order of the problems."""
        found: dict[str, dict[str, None]] = {}
        for problem in self.problems:
            if name := self.wanted_baseline(problem):
                found.setdefault(problem.device, {})[name] = None
        return {device: list(names) for device, names in found.items()}

    def _wanted(self, device: str) -> tuple[str, ...]:
        named = (self.baseline,) if self.baseline else ()
        return (*named, *self.baselines.get(device, ()))

    def twin_of(self, names: Collection[str], device: str) -> str:
        """Which of these, measured together, has a twin: the baseline of attention.

        Without attention, the baseline of the first panel.
        """
        panels = self.panels(names)
        return self.baseline_of(panels.get("attention") or next(iter(panels.values()), []), device)

    def processes(self, names: Collection[str], device: str) -> dict[str, list[str]]:
        """These implementations by the process that measures them, the baseline's process first.

        With more than one, the last is AGAIN: the baseline once more, in a process of its own.
        """
        baseline = self.twin_of(names, device)
        found: dict[str, list[str]] = {self.process_of(baseline): []}
        for entry in self.entries:
            if entry.name in names:
                found.setdefault(entry.process, []).append(entry.name)
        return {**found, AGAIN: [baseline]} if len(found) > 1 else found

    def process_of(self, name: str) -> str:
        """The process that measures an implementation; "" is the first one."""
        return next((entry.process for entry in self.entries if entry.name == name), "")

    @property
    def pythons(self) -> dict[str, str]:
        """The interpreters of processes that have another one, by process."""
        found = {entry.process: entry.python for entry in self.entries if entry.python}
        first = found.get(self.first_process)
        return {**found, **({AGAIN: first} if first else {})}

    def sharing(self, process: str) -> int:
        """How many implementations a process has."""
        return sum(entry.process == process for entry in self.entries)

    @property
    def first_process(self) -> str:
        """The process that leads where a problem has all implementations."""
        names = [entry.name for entry in self.entries if not entry.missing]
        device = self.problems[0].device if self.problems else "cpu"
        return self.process_of(self.twin_of(names, device))

    def panels(self, names: Collection[str]) -> dict[str, list[str]]:
        """These implementations by panel, attention first, each in the plan's order."""
        found: dict[str, list[str]] = {}
        for entry in sorted(self.entries, key=lambda each: each.panel != "attention"):
            if entry.name in names:
                found.setdefault(entry.panel, []).append(entry.name)
        return found

    def settled(self) -> Iterator[Record]:
        """The records known before anything runs: missing files and problems beyond limits.

        A missing implementation refuses what is beyond its limits: installing it would not help.
        """
        for problem in self.problems:
            for entry in self.entries:
                reasons = entry.refusals(problem, self.capability)
                if entry.missing and not (entry.limits and reasons):
                    yield _unmeasured(problem, entry, "missing", "not_importable", entry.missing)
                elif entry.fault:
                    yield _unmeasured(problem, entry, "failed", "exception", entry.fault)
                elif reasons:
                    yield _unmeasured(problem, entry, "refused", "limits", "; ".join(reasons))

    def unchecked(self, records: Iterable[Record]) -> list[Work]:
        """Problems and the implementations that have no record of the check on them."""
        known = {r.pair for r in records if r.session == CHECK}
        return self._work(lambda pair: pair not in known)

    def untimed(self, records: Iterable[Record], session: int) -> list[Work]:
        """Problems and the implementations that agree on them and lack this session's record."""
        records = list(records)
        agreed = {r.pair for r in records if r.session == CHECK and r.status == "ok"}
        faulty = {r.pair for r in records if r.status != "ok"}
        known = {r.pair for r in records if r.session == session}
        wanted = agreed - faulty - known
        return self._work(lambda pair: pair in wanted)

    def _work(self, wanted: Callable[[Pair], bool]) -> list[Work]:
        work = [
            (problem, [e.name for e in self.entries if wanted((problem, e.name))])
            for problem in self.problems
        ]
        return [(problem, names) for problem, names in work if names]


def _unmeasured(
    problem: Problem, entry: Entry, status: Status, cause: Cause, reason: str
) -> Record:
    return Record(
        session=CHECK,
        problem=problem,
        implementation=entry.name,
        status=status,
        cause=cause,
        reason=reason,
    )
