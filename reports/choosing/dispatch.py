"""What a program should choose: a run as a table of the fastest, and a reader of it.

    choose = Dispatch.read(Path("dispatch.json")).choose
    choose("b1 h8 t3000 d64 causal fp32 cpu", able={"sdpa_flash", "chunked"}).name

The file is JSON: `format`, `version`, `run`, `started`, `command`, `machine`, `versions`,
`settings` and `problems`. Each of these has the `problem` as printed, `panel`, `threads`,
`sessions`, whether the fastest is `decided`, who was `not_reached`, and a `ranking`, the fastest
first: `implementation`, `median_ms`, `ratio` of its time to the fastest's with `low` and `high`
ends of a 95 % interval over sessions, and whether it is told `apart` from the fastest. The fastest
is decided where every other one of its panel is told apart from it or has no time for a reason of
its own; those not reached, since the run or its budget ended before, leave it open.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from impls.interface import Problem
from reports.analysis import Analysis
from reports.choosing.fastest import Ranking, Rival
from reports.choosing.kinds import Kind, without_length
from reports.choosing.maps import rankings
from reports.choosing.ratios import Place, ratios_of
from reports.panels import ATTENTION
from reports.printing.plain import plain
from reports.words import counted

FORMAT: Final = "attnbench dispatch"
VERSION: Final = 1
_MAKE: Final = "make one with: python run_bench.py export RUN --format dispatch"
Basis = Literal["measured", "nearest length", "between"]


def dispatch(analysis: Analysis) -> dict[str, Any]:
    """The fastest on every problem of a run, as the file has it; JSON can hold it."""
    run, plan = analysis.run, analysis.plan
    ranked = rankings(analysis, ratios_of(analysis))
    data = {
        "format": FORMAT,
        "version": VERSION,
        "run": run.name,
        "started": run.started,
        "command": run.command,
        "machine": {name: each for name, each in run.machine.items() if name != "versions"},
        "versions": run.machine.get("versions", {}),
        "settings": {"cache": plan.cache, "allocator": plan.allocator, "threads": plan.threads},
        "problems": [_problem(place, found) for place, found in ranked.items()],
    }
    return dict(plain(data))


def _problem(place: Place, found: Ranking) -> dict[str, Any]:
    problem, threads, panel = place
    fastest = {
        "implementation": found.name,
        "median_ms": found.median_ms,
        "ratio": 1.0,
        "low": None,
        "high": None,
        "apart": False,
    }
    return {
        "problem": problem,
        "panel": panel,
        "threads": threads,
        "sessions": found.sessions,
        "decided": found.decided,
        "not_reached": list(found.not_reached),
        "ranking": [fastest, *map(_rival, found.rivals)],
    }


def _rival(rival: Rival) -> dict[str, Any]:
    return {
        "implementation": rival.name,
        "median_ms": rival.median_ms,
        "ratio": rival.ratio,
        "low": rival.interval.low if rival.interval else None,
        "high": rival.interval.high if rival.interval else None,
        "apart": rival.apart,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to use, and on what grounds.

    name          the implementation
    basis         measured: on this very problem; nearest length: on one that differs in length
                  only; between: the same, and the measured lengths on either side disagree
    problem       the one measured
    factor        how many times as long the longer of the two is; 1 where measured
    median_ms     what it took there
    alternatives  those able that are not told apart from the fastest of all there
    not_reached   those able that have no time there yet: any of them may be faster
    other         of `between`, who is fastest at the measured length on the other side
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
    """One measured problem: the fastest first, as (name, milliseconds, told apart)."""

    problem: str
    kind: Kind
    length: int
    place: tuple[str, int]
    ranking: tuple[tuple[str, float, bool], ...]
    not_reached: tuple[str, ...]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        problem = Problem.parse(data["problem"])
        ranking = tuple(
            (str(each["implementation"]), float(each["median_ms"]), bool(each["apart"]))
            for each in data["ranking"]
        )
        if not ranking:
            raise ValueError(f"nobody is ranked on {problem}")
        place = (str(data["panel"]), int(data["threads"]))
        kind = without_length(str(problem))
        lacking = tuple(map(str, data.get("not_reached", ())))  # files made before do not tell
        return cls(str(problem), kind, problem.key_length, place, ranking, lacking)

    def choice(self, able: Collection[str] | None, factor: float) -> Choice | None:
        """The fastest of those able; None where none is."""
        mine = [each for each in self.ranking if able is None or each[0] in able]
        if not mine:
            return None
        name, median_ms, _ = mine[0]
        return Choice(
            name=name,
            basis="measured" if factor == 1 else "nearest length",
            problem=self.problem,
            factor=factor,
            median_ms=median_ms,
            alternatives=tuple(other for other, _, apart in mine[1:] if not apart),
            not_reached=tuple(each for each in self.not_reached if able is None or each in able),
        )


class Dispatch:
    """A table of the fastest, to be asked what to use."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """A table of `dispatch`'s data. Raises KeyError, TypeError or ValueError for any other."""
        self.run = str(data["run"])
        self.threads = max(int(each) for each in data["settings"]["threads"])
        self._measured = [_Measured.read(each) for each in data["problems"]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The table of a file. Raises ValueError for one that is none, in one line."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # neither UTF-8 nor JSON
            raise ValueError(f"{path} is no JSON: {error}; {_MAKE}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"{path} is no table of the fastest; {_MAKE}")
        if (version := data.get("version")) != VERSION:
            raise ValueError(f"{path} is of version {version!r}, expected {VERSION}; {_MAKE}")
        try:
            return cls(data)
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
        """What to use for a problem: by its own measurement, or that of the nearest length.

        able     the implementations that the caller has; None: all
        threads  OpenMP threads; None: the most that the run was measured with

        Only the length may be another: never dtype, device, mask, pass, heads or head dimension.
        Raises ValueError where nothing like it was measured, or by nobody able.
        """
        asked = Problem.parse(problem) if isinstance(problem, str) else problem
        place = (panel, self.threads if threads is None else threads)
        kind = without_length(str(asked))
        alike = [each for each in self._measured if (each.kind, each.place) == (kind, place)]
        found = [
            choice
            for each in alike
            if (choice := each.choice(able, _factor(each.length, asked.key_length)))
        ]
        if not found:
            threaded = f"with {counted(place[1], 'thread')} as {panel}"
            who = "by any of those able" if alike else threaded
            raise ValueError(
                f"nothing like {str(asked)!r} was measured {who} in the run {self.run!r}; measure "
                f'it: python run_bench.py run --problem "{asked}"'
            )
        return _nearest(found, asked.key_length)


def _factor(length: int, other: int) -> float:
    return max(length, other) / min(length, other)


def _nearest(choices: Sequence[Choice], length: int) -> Choice:
    """Of several choices the nearest by its factor; both neighbours have to agree."""
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
