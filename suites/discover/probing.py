"""What a plain function can do: the problems that tell, asked as a check asks, in its processes.

A function without a decorator claims whatever its parameters have a place for. Here it is asked
within narrower limits: a small file, gone afterwards, takes it from the user's own and states them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from impls import load_file
from impls.interface import AttentionFunction, Implementation, Limits, Problem
from impls.interface.limits import EVERY_MASK
from suites.discover.limits import Lacking, bases, crossings, features, learnt, narrowest
from suites.records.plan import Entry, Plan, Work
from suites.records.record import Record
from suites.records.store import Run, now

Conduct = Callable[[Run], list[Record]]
"""Carries out the plan of a run: every record of it."""

_FILE: Final = '''"""{name} of {file} within other limits; written by `check`, and gone after it."""

from impls.interface import Limits
from suites.discover.probing import within

LIMITS = {limits!r}
globals().update(within(LIMITS, file={file!r}, function={name!r}, module=__name__))
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes(Plan):
    """Problems that are asked of one entry each: its name stands at the same place in `asked`."""

    asked: tuple[str, ...] = ()

    def settled(self) -> Iterator[Record]:
        """Nothing: each problem is asked of an entry that can."""
        return iter(())

    def unchecked(self, records: Iterable[Record]) -> list[Work]:
        """The problems without a record, each with its entry."""
        known = {record.problem for record in records}
        pairs = zip(self.problems, self.asked, strict=True)
        return [(problem, [name]) for problem, name in pairs if problem not in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a function can do on one device.

    base     the problem beside which features were asked; None: it agrees on none of those tried
    limits   the features that hold
    lacking  the features that do not, and why
    tried    the problems tried for a base, each with its fault; "" is none
    """

    device: str
    tried: dict[Problem, str]
    base: Problem | None = None
    limits: Limits | None = None
    lacking: tuple[Lacking, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What was found out about one plain function.

    reaches   on each device that is here
    limits    what it can do, to be stated above it; none where no base agrees
    wrong     problems within what it claims that were asked here and not answered right
    verified  the suite's records within these limits; None: it agrees with all that it claims
    """

    name: str
    reaches: tuple[Reach, ...]
    limits: tuple[Limits, ...]
    wrong: int
    verified: tuple[Record, ...] | None

    @property
    def falls_short(self) -> bool:
        """Whether it does not agree with all that it claims."""
        return self.wrong > 0 or self.verified is not None or not self.limits


def is_plain(entry: Entry) -> bool:
    """Whether this is a function whose limits are read off its parameters, not stated."""
    if entry.name not in entry.files or not _could_be_derived(entry):
        return False
    tree = ast.parse(Path(entry.files[entry.name]).read_bytes())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return not any(
        _last_name(decorator) == "implementation"
        for function in functions
        if function.name == entry.name
        for decorator in function.decorator_list
    )


def probe(entry: Entry, run: Run, records: Iterable[Record], conduct: Conduct) -> Probed:
    """What a plain function of a checked run can do, asked in further runs.

    records  of the run
    """
    with TemporaryDirectory(prefix="attnbench-") as folder:
        prober = _Prober(entry, run, conduct, Path(folder))
        reaches = tuple(prober.reach(each["device"]) for each in run.machine["devices"])
        limits = merged(each.limits for each in reaches if each.limits is not None)
        own = [r for r in records if r.implementation == entry.name]
        agrees = not prober.wrong and all(r.status in ("ok", "refused") for r in own)
        verified = None if agrees or not limits else prober.verify(limits, own)
        return Probed(
            name=entry.name,
            reaches=reaches,
            limits=limits,
            wrong=prober.wrong,
            verified=verified,
        )


def merged(limits: Iterable[Limits]) -> tuple[Limits, ...]:
    """One Limits for all devices on which it is the same; a capability speaks of NVIDIA alone."""
    found: list[Limits] = []
    for each in limits:
        for place, other in enumerate(found):
            both = replace(
                other,
                devices=(*other.devices, *each.devices),
                cuda_capability=max(other.cuda_capability, each.cuda_capability),
            )
            if replace(each, devices=both.devices, cuda_capability=both.cuda_capability) == both:
                found[place] = both
                break
        else:
            found.append(each)
    return tuple(found)


def within(
    limits: dict[str, tuple[Limits, ...]], *, file: str, function: str, module: str
) -> dict[str, Implementation]:
    """A user's function under other names, each within its own limits, as a module's own."""
    given = load_file(Path(file), function)[0]
    return {
        name: replace(given, name=name, function=_at_home(given.function, module), limits=each)
        for name, each in limits.items()
    }


@dataclass(slots=True)
class _Prober:
    """Asks one function; files of narrower limits stand in `folder`."""

    entry: Entry
    run: Run
    conduct: Conduct
    folder: Path
    wrong: int = 0
    _runs: int = field(default=0)

    def reach(self, device: str) -> Reach:
        """What the function can do on a device."""
        tried: dict[Problem, str] = {}
        for problems in bases(device):
            tried |= self._ask(problems)
            if base := next((each for each, fault in tried.items() if not fault), None):
                return self._beside(base, tried)
        return Reach(device=device, tried=tried)

    def _beside(self, base: Problem, tried: dict[Problem, str]) -> Reach:
        """What the function can do besides a base that agrees."""
        asked = dict(tried)
        alone = (problem for feature in features(base) for problem in feature.problems)
        asked |= self._ask(problem for problem in alone if problem not in asked)
        limits, _ = learnt(base, asked)
        asked |= self._ask(p for p in crossings(base, limits) if p not in asked)
        limits, lacking = learnt(base, asked)
        if base.device == "cuda":
            limits = replace(limits, cuda_capability=self.run.plan.capability or (0, 0))
        return Reach(device=base.device, tried=tried, base=base, limits=limits, lacking=lacking)

    def verify(self, limits: tuple[Limits, ...], known: list[Record]) -> tuple[Record, ...]:
        """The records of the suite's problems within these limits.

        known  those of the check; what agreed within wider limits is not asked again
        """
        (entry,) = self._entries({self.entry.name: limits})
        capability = self.run.plan.capability
        reached = {
            problem for problem in self.run.plan.problems if not entry.refusals(problem, capability)
        }
        kept = tuple(r for r in known if r.status == "ok" and r.problem in reached)
        left = reached - {record.problem for record in kept}
        problems = tuple(each for each in self.run.plan.problems if each in left)
        plan = replace(self.run.plan, entries=(entry,), problems=problems)
        return (*kept, *(self._conducted(plan) if problems else ()))

    def _ask(self, problems: Iterable[Problem]) -> dict[Problem, str]:
        """What is wrong with the answers to these problems, "" where nothing is."""
        faults = {p: "; ".join(self.entry.refusals(p, self.run.plan.capability)) for p in problems}
        claimed = [problem for problem, refusal in faults.items() if not refusal]
        if not claimed:
            return faults
        names = {
            limits: f"{self.entry.name}_{i}" for i, limits in enumerate(map(narrowest, claimed))
        }
        plan = Probes(
            **{each.name: getattr(self.run.plan, each.name) for each in fields(Plan)}
            | {
                "problems": tuple(claimed),
                "entries": self._entries({name: (limits,) for limits, name in names.items()}),
                "threads": (1,),  # problems this small take longer to share than to do
            },
            asked=tuple(names[narrowest(problem)] for problem in claimed),
        )
        for record in self._conducted(plan):
            if record.status != "ok":
                faults[record.problem] = f"{record.status}: {record.reason}"
                self.wrong += 1
        return faults

    def _entries(self, limits: dict[str, tuple[Limits, ...]]) -> tuple[Entry, ...]:
        """Entries of a file, written here, that holds the function within each of these limits."""
        self._runs += 1
        path = self.folder / f"within_{self._runs}.py"
        own = self.entry.files[self.entry.name]
        path.write_text(_FILE.format(name=self.entry.name, file=own, limits=limits))
        return tuple(
            Entry(name=name, files={name: str(path)}, limits=each) for name, each in limits.items()
        )

    def _conducted(self, plan: Plan) -> list[Record]:
        place = [each.name for each in self.run.plan.entries].index(self.entry.name)
        name = f"{self.run.name}-{place}-{self._runs}"
        return self.conduct(replace(self.run, name=name, started=now(), plan=plan))


def _could_be_derived(entry: Entry) -> bool:
    """Whether its limits are such as a function's parameters make."""
    if len(entry.limits) != 1:
        return False
    own = entry.limits[0]
    free = {
        name: getattr(own, name) for name in ("masks", "biases", "own_scale", "softcap", "sink")
    }
    return own.masks in (EVERY_MASK, ("full",)) and own == Limits(**free, own_value_dim=True)


def _last_name(decorator: ast.expr) -> str:
    """`implementation` of `@interface.implementation(...)`."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")


def _at_home(function: AttentionFunction, module: str) -> AttentionFunction:
    """The function as one that this module defines."""

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    call.__module__ = module
    return call
