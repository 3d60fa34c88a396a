"""A run as a table of the fastest implementations, and a reader of it for programs that choose.

    choose = Dispatch.read(Path("dispatch.json")).choose
    choose("b1 h8 t3000 d64 causal fp32 cpu", able={"sdpa_flash", "chunked"}).name

The file is JSON: `format`, `version`, `run`, `started`, `command`, `machine`, `versions`,
`settings` and `problems`. Each problem has its text as `problem`, `panel`, `threads`, `sessions`,
`decided`, `not_reached` and a `ranking`, the fastest first. An entry of the ranking has the
`implementation`, `median_ms`, the `ratio` of its time to that of the fastest with the ends `low`
and `high` of a 95 % interval over sessions, `apart`: whether the verdict on it is slower, and
`same_kernel`: the milliseconds of those that ran its kernel, which are not ranked themselves. The
fastest is decided where every other one of its panel is apart from it or has no time because of
its own limits or faults; implementations not reached before the run or its budget ended leave it
open. Steps of models are left out: the table is of calls alone.

A run of cases with steps has two lists more, which `mixes` describes: `mix` and `steps`. The mix
is put into a script with `run_bench.substituted`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from impls.interface import Problem
from reports.analysis.ranking import mixes, sections
from reports.analysis.ranking.ranking import Ranking, Rival, rankings
from reports.analysis.ranking.ratios import Place
from reports.analysis.run_analysis import Analysis
from reports.rows.families import without_length
from reports.rows.panels import ATTENTION
from suites.records.settings import labelling

FORMAT: Final = "attnbench dispatch"
VERSION: Final = 1
_MAKE: Final = "make one with: python run_bench.py export RUN --format dispatch"
OF_MACHINES: Final = "attnbench dispatch of machines"
"""The format of a file with a table for each of several machines, as `dispatch_group` makes it."""
Machine = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
Basis = Literal["measured", "nearest length", "between"]


def dispatch(analysis: Analysis) -> dict[str, Any]:
    """The fastest on every problem of a run, as the data of the file."""
    run, plan = analysis.run, analysis.plan
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": run.name,
        "started": run.started,
        "command": run.command,
        "machine": {name: each for name, each in run.machine.items() if name != "versions"},
        "versions": run.machine.get("versions", {}),
        "settings": {
            **{field: getattr(plan, field) for field in labelling()},
            "threads": plan.threads,
        },
        "problems": [
            _problem(place, found)
            for place, found in rankings(analysis).items()
            if not place[0].model
        ],
        **mixes.data(analysis),
    }


def _problem(place: Place, found: Ranking) -> dict[str, Any]:
    problem, threads, panel = place
    same: dict[str, dict[str, float]] = {}
    for each in found.same:
        same.setdefault(each.same_as, {})[each.name] = each.median_ms
    fastest = {
        "implementation": found.name,
        "median_ms": found.median_ms,
        "ratio": 1.0,
        "low": None,
        "high": None,
        "apart": False,
    }
    return {
        "problem": problem.key(),
        "panel": panel,
        "threads": threads,
        "sessions": found.sessions,
        "decided": found.decided,
        "not_reached": list(found.not_reached),
        "ranking": [
            {**each, "same_kernel": same.get(each["implementation"], {})}
            for each in (fastest, *map(_rival, found.rivals))
        ],
    }


def _rival(rival: Rival) -> dict[str, Any]:
    return {
        "implementation": rival.name,
        "median_ms": rival.median_ms,
        "ratio": rival.ratio,
        "low": rival.interval.low if rival.interval else None,
        "high": rival.interval.high if rival.interval else None,
        "apart": rival.is_slower,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An implementation to use, and the measurement that the choice rests on.

    name          the implementation
    basis         measured: this very problem; nearest length: a problem that differs in length
                  only; between: the same, and the next measured length on the other side has
                  another winner
    problem       the measured one
    factor        the longer of the two lengths over the shorter; 1 where measured
    median_ms     its time there
    alternatives  other able implementations that are not shown to be slower there
    not_reached   able implementations without a time there yet: any of them may be faster
    other         for `between`: the fastest at the measured length on the other side
    """

    name: str
    basis: Basis
    problem: str
    factor: float
    median_ms: float
    alternatives: tuple[str, ...] = ()
    not_reached: tuple[str, ...] = ()
    other: str = ""


@dataclass(frozen=True, slots=True)
class _Measured:
    """One measured problem: its ranking as (name, milliseconds, apart), the fastest first.

    same_kernel  by name, the milliseconds of those that ran its kernel
    """

    problem: Problem
    place: tuple[str, int]
    ranking: tuple[tuple[str, float, bool], ...]
    not_reached: tuple[str, ...]
    same_kernel: Mapping[str, Mapping[str, float]]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        problem = Problem.parse(data["problem"])
        ranking = tuple(
            (str(each["implementation"]), float(each["median_ms"]), bool(each["apart"]))
            for each in data["ranking"]
        )
        if not ranking:
            raise ValueError(f"the ranking of {problem} is empty")
        place = (str(data["panel"]), int(data["threads"]))
        lacking = tuple(map(str, data.get("not_reached", ())))  # files of version 0.1.0 have none
        same = {each["implementation"]: each.get("same_kernel", {}) for each in data["ranking"]}
        return cls(problem, place, ranking, lacking, same)

    def choice(self, able: Collection[str] | None, length: int) -> Choice | None:
        """The fastest of those able, for a problem of this key length; None where none is able."""
        mine = list(self._able(able))
        if not mine:
            return None
        name, median_ms, _ = mine[0]
        factor = max(self.problem.key_length, length) / min(self.problem.key_length, length)
        return Choice(
            name=name,
            basis="measured" if factor == 1 else "nearest length",
            problem=self.problem.key(),
            factor=factor,
            median_ms=median_ms,
            alternatives=tuple(other for other, _, apart in mine[1:] if not apart),
            not_reached=tuple(each for each in self.not_reached if able is None or each in able),
        )

    def _able(self, able: Collection[str] | None) -> Iterator[tuple[str, float, bool]]:
        """The ranking of those able; one that is not is replaced by one that ran its kernel."""
        for name, median_ms, apart in self.ranking:
            every = {name: median_ms, **self.same_kernel[name]}
            first = next((each for each in every if able is None or each in able), None)
            if first is not None:
                yield first, float(every[first]), apart


class Dispatch:
    """The table of a run, and `choose`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """A table of `dispatch`'s data. Raises KeyError, TypeError or ValueError for any other."""
        self.run = str(data["run"])
        self.threads = max(int(each) for each in data["settings"]["threads"])
        self._measured = [_Measured.read(each) for each in data["problems"]]
        self.mix = mixes.read(data.get("mix", ()))
        self.has_steps = "steps" in data
        self.doubts = mixes.doubts(data.get("steps", ()))

    @classmethod
    def read(cls, path: Path, machine: Machine | None = None) -> Self:
        """The table of a file.

        machine  the facts of this machine, as `list machine --json` prints them, or a function that
                 reads them; only a file of several machines needs them

        Raises ValueError with one line for a file that holds none, and for a file of several
        machines without a section for this one.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # neither UTF-8 nor JSON
            raise ValueError(f"{path} is no JSON: {error}; {_MAKE}") from error
        if not isinstance(data, dict) or data.get("format") not in (FORMAT, OF_MACHINES):
            raise ValueError(f"{path} is no table of the fastest; {_MAKE}")
        if (version := data.get("version")) != VERSION:
            raise ValueError(f"{path} is of version {version!r}, expected {VERSION}; {_MAKE}")
        try:
            if data["format"] == OF_MACHINES:
                data = sections.section_for(data, _facts(machine))
            return cls(data)
        except sections.NoSectionError as error:
            raise ValueError(f"{path}: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} is damaged ({error!r}); {_MAKE}") from error

    def choose(
        self,
        problem: Problem | str,
        *,
        able: Collection[str] | None = None,
        panel: str = ATTENTION,
        threads: int | None = None,
    ) -> Choice:
        """The implementation for a problem, from its own measurement or the nearest length.

        able     the implementations that the caller has; None: all
        threads  OpenMP threads; None: the most that the run was measured with

        Only the length may differ: never dtype, device, mask, pass, heads or head dimension.
        Raises ValueError where no such problem was measured, or by none of those able.
        """
        wanted = Problem.parse(problem) if isinstance(problem, str) else problem
        place = (panel, self.threads if threads is None else threads)
        kind = without_length(wanted)
        alike = [
            each
            for each in self._measured
            if each.place == place and without_length(each.problem) == kind
        ]
        found = [
            choice for each in alike if (choice := each.choice(able, wanted.key_length)) is not None
        ]
        if not found:
            noun = "thread" if place[1] == 1 else "threads"
            where = "by any of those able" if alike else f"with {place[1]} {noun} as {panel}"
            raise ValueError(
                f"nothing like {str(wanted)!r} was measured {where} in the run {self.run!r}; "
                f'measure it: python run_bench.py run --problem "{wanted}"'
            )
        return _nearest(found, wanted.key_length)


def _facts(machine: Machine | None) -> Mapping[str, Any]:
    """The facts of this machine. Raises NoSectionError where the caller gives none."""
    if machine is None:
        raise sections.NoSectionError(
            "it has a section for each of several machines; expected the facts of this machine as "
            "machine=, as `python run_bench.py list machine --json` prints them"
        )
    return machine() if callable(machine) else machine


def _nearest(choices: Sequence[Choice], length: int) -> Choice:
    """The choice of the nearest length, marked where the neighbour on the other side differs."""
    nearest = min(choices, key=lambda choice: choice.factor)
    here = Problem.parse(nearest.problem).key_length
    beyond = [
        each
        for each in choices
        if (Problem.parse(each.problem).key_length - length) * (here - length) < 0
    ]
    if not beyond:
        return nearest
    other = min(beyond, key=lambda choice: choice.factor).name
    return nearest if other == nearest.name else replace(nearest, basis="between", other=other)
