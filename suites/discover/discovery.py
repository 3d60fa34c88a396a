"""Finds the limits of a plain function by checking it on small problems, in child processes.

A function without a decorator claims every feature that its parameters permit. Here it is checked
within narrower limits: a temporary file imports it from the user's file and states these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from impls import load_file
from impls.interface import AttentionFunction, Implementation, Limits, Problem
from impls.interface.reading import Reading
from suites.discover.limits import (
    Unsupported,
    base_problems,
    combinations,
    features,
    inferred_limits,
    narrowest_limits,
)
from suites.records.plan import Entry, Plan, Work
from suites.records.record import Record
from suites.records.store import Run, now

Conduct = Callable[[Run], list[Record]]
"""Carries out the plan of a run and returns all of its records."""

_FILE: Final = '''"""{name} of {file} within other limits; a temporary file of `check`."""

from impls.interface import Limits
from suites.discover.discovery import within

LIMITS = {limits!r}
globals().update(within(LIMITS, file={file!r}, function={name!r}, module=__name__))
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryPlan(Plan):
    """A plan with one entry for each problem.

    entry_names  the entry of each problem, in the same order
    """

    entry_names: tuple[str, ...] = ()

    def settled(self) -> Iterator[Record]:
        """No records: every problem is within the limits of its entry."""
        return iter(())

    def unchecked(self, records: Iterable[Record]) -> list[Work]:
        """The problems without a record, each with its entry."""
        known = {record.problem for record in records}
        pairs = zip(self.problems, self.entry_names, strict=True)
        return [(problem, [name]) for problem, name in pairs if problem not in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFinding:
    """The limits of a function on one device.

    base         the problem that features were added to; None: it agrees on none of those tried
    limits       the features that it supports
    unsupported  the others, with the reasons
    tried        the problems tried as a base, each with its fault; "" where it agreed
    """

    device: str
    tried: dict[Problem, str]
    base: Problem | None = None
    limits: Limits | None = None
    unsupported: tuple[Unsupported, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The limits that were found for one plain function.

    devices   the finding of each device of this machine
    limits    to be stated above the function; empty where no base agrees
    wrong     problems within its claims that were tried here and failed
    faults    the records of these problems, under the function's own name
    verified  the suite's records within these limits; None: it agrees with all of its claims
    """

    name: str
    devices: tuple[DeviceFinding, ...]
    limits: tuple[Limits, ...]
    wrong: int
    verified: tuple[Record, ...] | None
    faults: tuple[Record, ...] = ()

    @property
    def claims_too_much(self) -> bool:
        """Whether it fails on a problem that its parameters permit."""
        return self.wrong > 0 or self.verified is not None or not self.limits


def discover(entry: Entry, run: Run, records: Iterable[Record], conduct: Conduct) -> Discovery:
    """The limits of a plain function of a checked run, found in further runs.

    records  of the checked run
    """
    with TemporaryDirectory(prefix="attnbench-") as folder:
        search = _Search(entry, run, conduct, Path(folder))
        devices = tuple(search.on_device(each["device"]) for each in run.machine["devices"])
        limits = merged(each.limits for each in devices if each.limits is not None)
        own = [r for r in records if r.implementation == entry.name]
        agrees = not search.faults and all(r.status in ("ok", "refused") for r in own)
        verified = None if agrees or not limits else search.verify(limits, own)
        return Discovery(
            name=entry.name,
            devices=devices,
            limits=limits,
            wrong=len(search.faults),
            verified=verified,
            faults=tuple(search.faults),
        )


def merged(limits: Iterable[Limits]) -> tuple[Limits, ...]:
    """One Limits for all devices with the same limits; cuda_capability is for NVIDIA alone."""
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
    """A user's function under other names, each with its own limits, as members of a module."""
    given = load_file(Path(file), function)[0]
    return {
        name: replace(given, name=name, function=_member_of(module, given.function), limits=each)
        for name, each in limits.items()
    }


@dataclass(slots=True)
class _Search:
    """Checks one function; files with narrower limits are written to `folder`."""

    entry: Entry
    run: Run
    conduct: Conduct
    folder: Path
    faults: list[Record] = field(default_factory=list)
    _runs: int = field(default=0)

    def on_device(self, device: str) -> DeviceFinding:
        """The limits of the function on a device."""
        tried: dict[Problem, str] = {}
        for problems in base_problems(device):
            tried |= self._faults(problems)
            if base := next((each for each, fault in tried.items() if not fault), None):
                return self._from_base(base, tried)
        return DeviceFinding(device=device, tried=tried)

    def _from_base(self, base: Problem, tried: dict[Problem, str]) -> DeviceFinding:
        """The limits of the function, from a base problem that agrees."""
        faults = dict(tried)
        single = (problem for feature in features(base) for problem in feature.problems)
        faults |= self._faults(problem for problem in single if problem not in faults)
        limits, _ = inferred_limits(base, faults)
        faults |= self._faults(p for p in combinations(base, limits) if p not in faults)
        limits, unsupported = inferred_limits(base, faults)
        if base.device == "cuda":
            limits = replace(limits, cuda_capability=self.run.plan.capability or (0, 0))
        return DeviceFinding(
            device=base.device, tried=tried, base=base, limits=limits, unsupported=unsupported
        )

    def verify(self, limits: tuple[Limits, ...], known: list[Record]) -> tuple[Record, ...]:
        """The records of the suite's problems within these limits.

        known  records of the check; a problem that agreed within wider limits is not repeated
        """
        (entry,) = self._entries({self.entry.defined: limits})
        capability = self.run.plan.capability
        permitted = {
            problem for problem in self.run.plan.problems if not entry.refusals(problem, capability)
        }
        kept = tuple(r for r in known if r.status == "ok" and r.problem in permitted)
        left = permitted - {record.problem for record in kept}
        problems = tuple(each for each in self.run.plan.problems if each in left)
        plan = replace(self.run.plan, entries=(entry,), problems=problems)
        found = self._conducted(plan) if problems else []
        return (*kept, *(replace(record, implementation=self.entry.name) for record in found))

    def _faults(self, problems: Iterable[Problem]) -> dict[Problem, str]:
        """The fault of each problem; "" where it agrees."""
        faults = {p: "; ".join(self.entry.refusals(p, self.run.plan.capability)) for p in problems}
        claimed = [problem for problem, refusal in faults.items() if not refusal]
        if not claimed:
            return faults
        names = {
            limits: f"{self.entry.defined}_{i}"
            for i, limits in enumerate(map(narrowest_limits, claimed))
        }
        plan = DiscoveryPlan(
            **{each.name: getattr(self.run.plan, each.name) for each in fields(Plan)}
            | {
                "problems": tuple(claimed),
                "entries": self._entries({name: (limits,) for limits, name in names.items()}),
                "threads": (1,),  # problems this small are slower with several threads
            },
            entry_names=tuple(names[narrowest_limits(problem)] for problem in claimed),
        )
        for record in self._conducted(plan):
            if record.status != "ok":
                faults[record.problem] = f"{record.status}: {record.reason}"
                self.faults.append(replace(record, implementation=self.entry.name))
        return faults

    def _entries(self, limits: dict[str, tuple[Limits, ...]]) -> tuple[Entry, ...]:
        """Entries of a new file with the function within each of these limits."""
        self._runs += 1
        path = self.folder / f"within_{self._runs}.py"
        own = self.entry.files[self.entry.defined]
        path.write_text(_FILE.format(name=self.entry.defined, file=own, limits=limits))
        return tuple(
            Entry(
                name=name,
                files={name: str(path)},
                limits=each,
                readings=dict.fromkeys([name], *self.entry.readings.values())
                if self.entry.readings
                else {},
            )
            for name, each in limits.items()
        )

    def _reading_for(self, name: str) -> dict[str, Reading]:
        """How the function is called, for another name of it."""
        found = self.entry.readings.get(self.entry.defined)
        return {} if found is None else {name: found}

    def _conducted(self, plan: Plan) -> list[Record]:
        place = [each.name for each in self.run.plan.entries].index(self.entry.name)
        name = f"{self.run.name}-{place}-{self._runs}"
        return self.conduct(replace(self.run, name=name, started=now(), plan=plan))


def _member_of(module: str, function: AttentionFunction) -> AttentionFunction:
    """The function as if this module defined it."""

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    call.__module__ = module
    return call
