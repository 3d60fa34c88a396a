"""Terms of a judgement, and a measurement without processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from impls.interface import Problem
from suites.engine.time_left import TimeLeft
from suites.judging import Candidate, Judged, Terms
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run, Store
from suites.request.planning import Request
from suites.request.suites import named
from tests.saved_run import MACHINE, PROBLEMS, two


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def phase(self, text: str, total: int) -> None:
        pass

    def problem(self, problem: Problem, left: TimeLeft) -> None:
        pass

    def record(self, record: Record) -> None:
        pass


def show(candidate: Candidate, position: int) -> Silent:
    return Silent()


def terms_for(store: Store, **settings: object) -> Terms:
    """The terms of a judgement against `base` on one problem."""
    problem = PROBLEMS[1]
    suite, against = named("quick"), "base"
    return Terms(
        request=Request(suite=suite, problems=(str(problem),), against=against, settings=settings),
        problems=(problem,),
        baseline=Entry(name="base"),
        machine={**MACHINE, "cores": 2},
        store=store,
        command="python run_bench.py judge",
    )


class Measure:
    """Stores a run of each candidate, which takes so many times as long as the baseline.

    factors  by the names of the files; a candidate without one is interrupted
    """

    def __init__(self, factors: Mapping[str, float]) -> None:
        self.factors = dict(factors)
        self.measured: list[str] = []
        self.begun: list[Run] = []

    def __call__(self, of: Terms, candidate: Candidate, live: object, begun: Run | None) -> Judged:
        self.begun += [begun] if begun else []
        if candidate.file.stem not in self.factors:
            of.store.begin(replace(made(of, candidate, 1.0)[0], ended=None))
            raise KeyboardInterrupt
        self.measured.append(candidate.file.stem)
        run, records = made(of, candidate, self.factors[candidate.file.stem])
        if begun is None:
            of.store.begin(run)
        of.store.add(run.name, *records)
        of.store.end(run.name)
        return Judged(candidate, run, records)


def made(of: Terms, candidate: Candidate, factor: float) -> tuple[Run, list[Record]]:
    """A run of the candidate's function, `other`, beside `base`."""
    run, records = two(factor, baseline="base")
    base, other = run.plan.entries
    path = str(candidate.file.resolve())
    other = replace(other, files={"other": path}, hashes={"other": "0123456789abcdef"})
    plan = replace(run.plan, entries=(other, base))
    return replace(run, name=of.run_name(candidate), plan=plan), records


def write(folder: Path, *names: str) -> list[Candidate]:
    """Candidates in a folder."""
    for name in names:
        (folder / f"{name}.py").write_text(f"{name} = 1\n")
    return [Candidate(str(folder / f"{name}.py")) for name in names]
