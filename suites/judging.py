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
from suites.engine.catalogue import cores, open_catalogue
from suites.engine.conductor import Conductor
from suites.engine.local_pool import LocalPool
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run, Store, now
from suites.request import planning
from suites.request.planning import BASELINE, Request

_KEY: Final = 16
"""Hex digits of a key: 64 bits, so that no two of a million candidates share one."""


class Candidate(NamedTuple):
    """A file to judge, as FILE.py or FILE.py:FUNCTION."""

    spec: str

    @property
    def file(self) -> Path:
        """The path of the file."""
        file, extension, _ = self.spec.rpartition(".py")
        return Path(file + extension)


class Judged(NamedTuple):
    """A judged candidate, the run that measured it, and its records."""

    candidate: Candidate
    run: Run
    records: list[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is the same for all candidates.

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
        """The name of a candidate's run: a hash of all that its result depends on.

        It covers the file's path and bytes, problems, settings, baseline, machine and versions. It
        does not cover other files that the candidate imports.
        """
        machine = {fact: self.machine[fact] for fact in ("attnbench", *SAME_MACHINE)}
        parts = [
            [str(candidate.file.resolve()), candidate.spec, _hash_of(candidate.file)],
            [list(map(str, self.problems)), dict(self.request.settings)],
            [self.baseline.name, self.baseline.hashes, machine],
        ]
        text = json.dumps(parts, sort_keys=True, default=str)
        return f"judge-{hashlib.sha256(text.encode()).hexdigest()[:_KEY]}"


_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(%?)")

Measure = Callable[[Terms, Candidate, str, Live], None]
"""Measures a candidate in the run of that name, which it begins or continues."""


def candidates(words: Iterable[str]) -> list[Candidate]:
    """The candidates that files and folders name, each once, in order.

    A folder stands for its `*.py` files by name, without those that start with `_`. Raises
    ValueError for what is neither a file nor a folder, and for a folder without such a file.
    """
    return [Candidate(spec) for spec in dict.fromkeys(spec for w in words for spec in _specs(w))]


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
    baseline = request.against or BASELINE
    machine, entries = open_catalogue([baseline], threads=threads[0])
    plan = planning.plan_of(replace(request, against=baseline), machine, entries, cores())
    return Terms(
        request=replace(request, against=baseline),
        problems=plan.problems,
        baseline=entries[0],
        machine=machine,
        store=Store.open(url),
        command=command,
    )


def measure(of: Terms, candidate: Candidate, name: str, live: Live) -> None:
    """Measure a candidate and the baseline: begin the run of that name, or continue it."""
    if name in _names(of.store):
        plan = of.store.run(name).plan
        with pool_of(plan) as pool:
            _conduct(of, name, pool, live)
        return
    with unstarted_pool(of.request) as pool:  # many candidates need no timed session
        of.store.begin(_run(of, candidate, name, pool))
        _conduct(of, name, pool, live)


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
    done = {run.name for run in of.store.runs() if run.ended is not None}
    for position, candidate in enumerate(every, 1):
        name = of.run_name(candidate)
        try:
            if name not in done:
                measure(of, candidate, name, show(candidate, position))
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; {position - 1} of {len(every)} candidates are judged; the same command "
                "continues"
            ) from None
        yield Judged(candidate, of.store.run(name), of.store.records(name))


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


def _names(store: Store) -> set[str]:
    return {run.name for run in store.runs()}


def _run(of: Terms, candidate: Candidate, name: str, pool: LocalPool) -> Run:
    """The run of a candidate, with the baseline."""
    request = replace(of.request, specs=(candidate.spec,))
    entries = _entries(candidate, request, pool)
    plan = planning.plan_of(replace(request, against=None), of.machine, entries, cores())
    plan = replace(plan, baseline=of.baseline.name if len(entries) > 1 else "")
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


def _conduct(of: Terms, name: str, pool: LocalPool, live: Live) -> None:
    with live:
        run = of.store.run(name)
        Conductor(run=run, store=of.store, listener=live, pool=pool, begins=live.problem).conduct()
