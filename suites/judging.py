"""Judges candidates: each is measured in a run of its own, and a judged one is not measured again.

The parent never imports a candidate: the processes of its run do.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from impls import fingerprint
from impls.interface import Problem
from suites.conducting import SAME_MACHINE, Live, StoppedError, pool_of, unstarted_pool
from suites.engine.catalogue import cores, open_catalogue, with_libraries, with_readings
from suites.engine.conductor import Conductor
from suites.engine.local_pool import LocalPool
from suites.records.plan import Entry, Plan
from suites.records.record import Record
from suites.records.store import Run, Store, now
from suites.request import planning
from suites.request.baselines import VENDORS, ordered
from suites.request.planning import Request

_KEY: Final = 16
"""Hex digits of a key: 64 bits, so that no two of a million candidates share one."""

_LONGEST: Final = 80
"""Characters of a file's name in the name of its run."""
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(%?)")
"""A margin: a number, with or without a percent sign."""


class Candidate(NamedTuple):
    """A file to judge, as FILE.py or FILE.py:FUNCTION."""

    spec: str

    @property
    def file(self) -> Path:
        """The path of the file."""
        file, extension, _ = self.spec.rpartition(".py")
        return Path(file + extension)

    @property
    def function(self) -> str:
        """What follows the file: `:FUNCTION`, or nothing."""
        return self.spec.rpartition(".py")[2]


class Judged(NamedTuple):
    """A judged candidate, the run that measured it, and its records."""

    candidate: Candidate
    run: Run
    records: list[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The parameters that all candidates of a judgement share.

    request   problems, settings and the baseline
    problems  the problems as values
    baseline  the baseline as data
    machine   as suites.measure.machine reads it
    store     keeps the runs
    command   the command line
    """

    request: Request
    problems: tuple[Problem, ...]
    baseline: Entry
    machine: dict[str, Any]
    store: Store
    command: str

    def run_name(self, candidate: Candidate) -> str:
        """The name of a candidate's run: its file, and a hash of all that its result depends on.

        The hash covers the file's path and bytes, problems, settings, baseline, machine and
        versions. It does not cover other files that the candidate imports.
        """
        machine = {fact: self.machine.get(fact) for fact in ("attnbench", *SAME_MACHINE)}
        parts = [
            [str(candidate.file.resolve()), candidate.function, _hash_of(candidate.file)],
            [list(map(str, self.problems)), dict(self.request.settings)],
            [self.baseline.name, self.baseline.hashes, machine],
        ]
        text = json.dumps(parts, sort_keys=True, default=str)
        stem = re.sub(r"[^A-Za-z0-9_.+-]", "_", candidate.file.stem)[:_LONGEST]
        return f"judge-{stem}-{hashlib.sha256(text.encode()).hexdigest()[:_KEY]}"


Measure = Callable[[Terms, Candidate, Live, Run | None], Judged]
"""Measures a candidate: continues the run that was begun, or begins one."""


def candidates(words: Iterable[str]) -> list[Candidate]:
    """The candidates that files and folders name, in order, each once.

    A folder stands for its `*.py` files by name, without those that start with `_`. Raises
    ValueError for what is neither a file nor a folder, and for a folder without such a file.
    """
    found: dict[tuple[Path, str], Candidate] = {}
    for each in (Candidate(spec) for word in words for spec in _specs(word)):
        found.setdefault((each.file.resolve(), each.function), each)
    return list(found.values())


def margin(text: str) -> float:
    """A part from 0 up: `0%`, `50%` or `0.5`. Raises ValueError for anything else."""
    found = _PART.fullmatch(text)
    if found is None:
        raise ValueError(f"--faster-by is {text!r}, expected a part of the time like 0% or 50%")
    return float(found[1]) / (100 if found[2] else 1)


def terms(request: Request, url: str, command: str) -> Terms:
    """The terms of a request. Raises ValueError for a mistake in the request."""
    if not request.problems:
        raise ValueError('--problem is missing; expected one at least, as "b1 h8 t1024 d64 causal"')
    threads = planning.threads_of(request, cores())
    if len(threads) > 1:
        raise ValueError(f"--threads names {len(threads)} numbers; judge expects one")
    specs = [request.against] if request.against else list(VENDORS)
    machine, entries = open_catalogue(specs, threads=threads[0])
    plan = planning.plan_of(request, machine, entries, cores())
    baseline = request.against or _baseline(plan)
    return Terms(
        request=replace(request, against=baseline),
        problems=plan.problems,
        baseline=next(entry for entry in entries if request.against or entry.name == baseline),
        machine=machine,
        store=Store.open(url),
        command=command,
    )


def _baseline(plan: Plan) -> str:
    """The default baseline of all problems. Raises ValueError where no kernel accepts any."""
    found = ordered(plan.entries, plan.problems, plan.capability)
    if not found:
        raise ValueError(
            f"none of {', '.join(VENDORS)} accepts {plan.problems[0]}; name a baseline with "
            "--against"
        )
    return found[0]


def measure(of: Terms, candidate: Candidate, live: Live, begun: Run | None) -> Judged:
    """Measure a candidate beside the baseline, in a run of the store.

    begun  its run, if an interrupted judgement has begun it: it is continued

    A candidate that cannot be imported has no run in the store, so it is tried again next time.
    """
    name = of.run_name(candidate)  # before the candidate can change its own file
    with live, pool_of(begun.plan) if begun else unstarted_pool(of.request) as pool:
        run = begun or _run(of, candidate, name, pool)
        if all(entry.missing for entry in run.plan.entries if entry.name != run.plan.baseline):
            return Judged(candidate, run, list(run.plan.settled()))
        if not begun:
            of.store.begin(run)
        Conductor(run=run, store=of.store, listener=live, pool=pool, begins=live.problem).conduct()
    return _stored(of, candidate, run.name)


def judge(
    of: Terms,
    every: Sequence[Candidate],
    show: Callable[[Candidate, int], Live],
    measure: Measure = measure,
) -> Iterator[Judged]:
    """Every candidate in order, each as soon as it is judged; judged ones are read from the store.

    show  the progress of a candidate, given with its position from 1 on

    Raises StoppedError when it is stopped by hand.
    """
    known = {run.name for run in of.store.runs()}
    for position, candidate in enumerate(every, 1):
        name = of.run_name(candidate)
        stored = _stored(of, candidate, name) if name in known else None
        try:
            if stored is None or stored.run.ended is None:
                live = show(candidate, position)
                stored = measure(of, candidate, live, stored.run if stored else None)
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; {position - 1} of {len(every)} candidates are judged; the same command "
                "continues"
            ) from None
        yield stored


def _stored(of: Terms, candidate: Candidate, name: str) -> Judged:
    """A candidate with its run and the records that the store has."""
    return Judged(candidate, of.store.run(name), of.store.records(name))


def _specs(word: str) -> list[str]:
    path = Path(word)
    if path.is_dir():
        found = sorted(each for each in path.glob("[!_]*.py") if each.is_file())
        if not found:
            raise ValueError(f"the folder {word!r} has no *.py file to judge")
        return list(map(str, found))
    if not Candidate(word).file.is_file():
        raise ValueError(f"no file or folder {word!r}; expected DIR, FILE.py or FILE.py:FUNCTION")
    return [word]


def _hash_of(file: Path) -> str:
    """The fingerprint of a file; empty where it cannot be read, which its process reports."""
    try:
        return fingerprint(str(file))
    except OSError:
        return ""


def _run(of: Terms, candidate: Candidate, name: str, pool: LocalPool) -> Run:
    """The run of a candidate, with the baseline."""
    request = replace(of.request, specs=(candidate.spec,))
    entries = _entries(candidate, request, pool)
    if entries[0].missing:
        request = replace(request, against=None)
    plan = planning.plan_of(request, of.machine, entries, cores())
    plan = with_readings(with_libraries(plan, pool), pool)
    return Run(name=name, started=now(), command=of.command, plan=plan, machine=of.machine)


def _entries(candidate: Candidate, request: Request, pool: LocalPool) -> tuple[Entry, ...]:
    """The implementations of a candidate and the baseline; a missing one if it has none."""
    threads = max(planning.threads_of(request, cores()))
    try:
        _, entries = open_catalogue(planning.specs_of(request), threads=threads, pool=pool)
    except ValueError as error:
        return (Entry(name=candidate.file.stem, missing=str(error)),)
    if len(entries) > 1:
        return entries
    return (Entry(name=candidate.file.stem, missing=f"it is the baseline, {entries[0].name}"),)
