"""From a request to a plan: problems, implementations, settings."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from impls import EVERY, name_and_spec
from impls.interface import Problem
from suites.records import lengths
from suites.records.cases import Case
from suites.records.input_files import InputFile, paths_of
from suites.records.plan import FEWEST_SPLIT, Entry, Plan
from suites.request import axes, baselines, options, participants, processes, ranks
from suites.request.axes import AXES, Values
from suites.request.participants import is_meant
from suites.request.problems import capability, cases_of, inputs_of
from suites.request.suites.suite import Suite

ROUND_BUDGET_MS: Final = 500.0
"""For the rounds of a problem given with --problem."""
TAIL_BUDGET_MS: Final = 20_000.0
"""For the rounds of a problem with --tail, in each session. Two implementations, the twin and the
lead-in calls fit 1,000 times where a call takes 3 ms, and 368 times where it takes 9 ms."""
FEWEST_SESSIONS: Final = 2
"""Sessions of such a problem at least: an interval needs two."""
ENOUGH_S: Final = 10.5
"""Further sessions of such a problem run while they end within so many seconds for each ratio. The
user waits for the result, and starting and reporting take a few seconds more."""
MOST_SESSIONS: Final = 20
"""Sessions after which a precision is given up, unless --sessions says otherwise."""
TIME_LIMIT_S: Final = 60.0
"""The default of --time-limit."""
PREPARE_LIMIT_S: Final = 300.0
"""The default of --prepare-limit: compiling for twenty shapes takes one to three minutes."""
FITTING_INPUTS: Final = ("--device", "--dtype", "--mask", "--pass")
"""Axes that leave the sizes of tensors as they are."""
MEMORY_SHARE: Final = 0.8
"""The default of --memory-limit, as a part of the available memory; on a GPU, of the device's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command line requests.

    suite      source of the problems, unless `problems` names them
    specs      implementations to run; None is all that are found
    problems   problems as typed
    inputs     paths of files with the user's own tensors, which name the problems
    files      the same as data, once a session has described them
    against    the baseline, as typed; None is the default
    apart      implementations that are measured in processes of their own
    pythons    interpreters of implementations that have another one, by name
    key_heads  key heads of every problem; None leaves them
    axes       values that replace an axis, by option
    settings   settings of the plan that were given, by field
    with_peers whether implementations with a slow start take part in every suite

    Raises ValueError for names beside with_peers: those that are named take part anyway. Raises
    ValueError for inputs beside problems, and beside axes that would change their sizes.
    """

    suite: Suite
    specs: tuple[str, ...] | None = None
    problems: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    files: tuple[InputFile, ...] = ()
    against: str | None = None
    apart: tuple[str, ...] = ()
    pythons: Mapping[str, str] = field(default_factory=dict)
    key_heads: int | None = None
    axes: Mapping[str, Values] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    with_peers: bool = False

    def __post_init__(self) -> None:
        if self.with_peers and self.specs is not None:
            raise ValueError(
                f"--with-peers beside {self.specs[0]}; names say which implementations take part: "
                "expected one or the other"
            )

        if self.inputs:
            self._expect_sizes_of_inputs()

    def _expect_sizes_of_inputs(self) -> None:
        """Raise ValueError for options that contradict the files of --inputs."""
        given = {"--problem": bool(self.problems), "--kv-heads": self.key_heads is not None}
        others = [name for name, is_given in given.items() if is_given]
        others += [name for name in self.axes if name not in FITTING_INPUTS]
        if others:
            raise ValueError(
                f"{others[0]} beside --inputs: the tensors have their own sizes; expected at most "
                f"{', '.join(FITTING_INPUTS)}"
            )

    @property
    def names_problems(self) -> bool:
        """Whether --problem or --inputs name the problems."""
        return bool(self.problems or self.inputs)

    @property
    def is_open_ended(self) -> bool:
        """Whether problems are named, and no option says how long the run may take."""
        return self.names_problems and not self.settings.keys() & {
            "sessions",
            "precision",
            "budget_s",
        }


def requested(suite: Suite, given: Mapping[str, str | list[str]]) -> Request:
    """The request of a command line.

    given  texts by option, of the options that were given

    Raises ValueError for the first text that is not understood.
    """
    values = options.parse(given)
    chosen = _cuda_device(given, values)
    return Request(
        suite=suite,
        specs=values.get("--impl"),
        problems=values.get("--problem", ()),
        inputs=paths_of(values.get("--inputs", ())),
        against=values.get("--against"),
        apart=values.get("--apart", ()),
        pythons=dict(values.get("--python", ())),
        key_heads=values.get("--kv-heads"),
        axes={name: values[name] for name in AXES if name in values},
        settings={field: values[name] for name, field in options.SETTINGS.items() if name in values}
        | ({"cuda_device": chosen} if chosen else {}),
        with_peers=values.get("--with-peers", False),
    )


def _cuda_device(given: Mapping[str, str | list[str]], values: Mapping[str, Any]) -> str:
    """The NVIDIA device of --device or --cuda-device. Raises ValueError for two that differ."""
    text = str(given.get("--device", ""))
    named, chosen = axes.cuda_device(text), str(values.get("--cuda-device", ""))
    if named and chosen and named != chosen:
        raise ValueError(f"--device is {text!r} and --cuda-device is {chosen!r}; expected one")
    return named or chosen


def threads_of(request: Request, cores: int) -> tuple[int, ...]:
    """Numbers of threads, in order. Raises ValueError for more than there are CPUs."""
    usual = (*(each for each in request.suite.threads if each < cores), cores)
    if request.suite.script_threads:
        usual = (min(request.suite.script_threads, cores),)
    found: tuple[int, ...] = request.settings.get("threads", usual)
    if found[-1] > cores:
        raise ValueError(f"--threads is {found[-1]}, this program may use {cores} CPUs")
    return found


def memory_limit(request: Request) -> int:
    """Bytes that one call may add."""
    return int(request.settings.get("memory_limit", usual_memory_limit()))


def usual_memory_limit() -> int:
    """Bytes that one call may add on this machine, unless --memory-limit says otherwise."""
    return int(psutil.virtual_memory().available * MEMORY_SHARE)


def device_memory_limit(given: int | None, machine: Mapping[str, Any]) -> int | None:
    """Bytes that one call may add on the GPUs of a machine; None without a GPU.

    given  --memory-limit; None: 80 % of the smallest device's memory
    """
    sizes = [each["memory_bytes"] for each in machine["devices"] if each.get("memory_bytes")]
    if not sizes:
        return None
    return int(min(sizes) * MEMORY_SHARE) if given is None else given


def fewest_sessions(request: Request) -> int:
    """Sessions before a precision, or the time that is enough, may end them."""
    fewest = FEWEST_SESSIONS if request.is_open_ended else request.suite.sessions
    return min(fewest, _sessions(request))


def specs_of(request: Request) -> list[str] | None:
    """The requested implementations, with the baseline; None is all, and EVERY all of impls/."""
    if request.specs is None:
        return [EVERY, *request.suite.variants] if request.suite.variants else None
    return [*request.specs, *_added(request)]


def _added(request: Request) -> list[str]:
    """Specs that --impl does not name: that of --against, and the function of a recorded script."""
    specs = request.specs or ()
    known = {*specs, *(name_and_spec(spec)[0] for spec in specs)}
    wanted = dict.fromkeys([*request.suite.compared, *filter(None, [request.against])])
    return [each for each in wanted if each not in known]


def plan_of(
    request: Request, machine: Mapping[str, Any], entries: tuple[Entry, ...], cores: int
) -> Plan:
    """The plan for a machine.

    Raises ValueError for a device or a baseline that it lacks, and for ranks beyond its cores.

    machine  as suites.measure.machine reads it
    entries  the implementations, as data
    """
    cases = cases_of(request, machine)
    problems = _measured(request, cases)
    if _sessions(request):
        ranks.expect_places(problems, machine, cores)
    left_out = participants.left_out(request, entries, problems, capability(machine))
    taking_part = participants.of(request, entries, left_out)
    entries = processes.assigned(taking_part, request.apart)
    sessions, fewest = _sessions(request), fewest_sessions(request)
    if sessions and processes.are_split(entries):
        _expect_sessions(request)
        sessions, fewest = max(sessions, FEWEST_SPLIT), max(fewest, FEWEST_SPLIT)
    defaults = {
        "sessions": sessions,
        "threads": threads_of(request, cores),
        "memory_limit": memory_limit(request),
        "budget_s": request.suite.budget_s,
        "keep_compiled": request.suite.keep_compiled,
    }
    return Plan(
        suite=_suite_name(request),
        problems=problems,
        cases=tuple(case for case in cases if not case.is_plain),
        inputs=inputs_of(request, cases),
        steps=request.suite.steps,
        entries=entries,
        fewest_sessions=fewest,
        attempts=not request.problems and request.suite.attempts,
        enough_s=_enough_s(request, entries),
        seed=secrets.randbits(31),
        round_budget_ms=_round_budget_ms(request),
        capability=capability(machine),
        device_memory_limit=device_memory_limit(request.settings.get("memory_limit"), machine),
        baseline=_baseline(request.against, entries),
        baselines=baselines.by_device(
            entries, problems, capability(machine), request.suite.baselines
        ),
        named=_named(request, entries),
        across=request.against is not None,
        left_out=left_out,
        **{**defaults, **request.settings},
    )


def _suite_name(request: Request) -> str:
    """The name of the suite, or how the problems were named."""
    if request.inputs:
        return "inputs"
    return "problem" if request.problems else request.suite.name


def _measured(request: Request, cases: Sequence[Case]) -> tuple[Problem, ...]:
    """The problems to measure: all, or of the steps of a script a few lengths of each family."""
    if request.suite.steps:
        return lengths.measured(cases)
    return tuple(dict.fromkeys(case.problem for case in cases))


def _expect_sessions(request: Request) -> None:
    """Raise ValueError for fewer sessions than ratios between processes take."""
    given = request.settings.get("sessions", FEWEST_SPLIT)
    if given < FEWEST_SPLIT:
        raise ValueError(
            f"--sessions is {given}, and implementations have processes of their own; expected at "
            f"least {FEWEST_SPLIT}"
        )


def _round_budget_ms(request: Request) -> float:
    """What the rounds of a problem may take in one session, ms."""
    if request.settings.get("tail"):
        return TAIL_BUDGET_MS
    return ROUND_BUDGET_MS if request.names_problems else request.suite.round_budget_ms


def _sessions(request: Request) -> int:
    """Sessions, at most."""
    precise = "precision" in request.settings
    usual = MOST_SESSIONS if precise else request.suite.sessions
    return int(request.settings.get("sessions", usual))


def _enough_s(request: Request, entries: Sequence[Entry]) -> float | None:
    """Seconds within which sessions beyond the fewest end; None: all sessions run."""
    if not request.is_open_ended:
        return None
    able = sum(not entry.missing for entry in entries)
    return ENOUGH_S * len(request.problems or request.inputs) * max(1, able - 1)


def _baseline(against: str | None, entries: tuple[Entry, ...]) -> str:
    """The baseline of --against; "" without it.

    Raises ValueError when it is not among the implementations.
    """
    if against is None:
        return ""
    names = [entry.name for entry in entries]
    found = [entry.name for entry in entries if is_meant(entry, against)]
    if not found:
        raise ValueError(
            f"--against {against!r} is none of the implementations of this run: {', '.join(names)}"
        )
    return found[0]


def _named(request: Request, entries: Sequence[Entry]) -> tuple[str, ...]:
    """The implementations named with --impl; one that --against alone names is not among them."""
    if request.specs is None:
        return ()
    return tuple(
        entry.name
        for entry in entries
        if any(is_meant(entry, spec) for spec in request.specs)
        or not any(is_meant(entry, spec) for spec in _added(request))
    )
