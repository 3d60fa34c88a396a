"""A list of problems as a suite, as `3x b1 h8 t512 d64 causal  # encoder` a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite

BUDGET_S: Final = 10 * 60.0
"""The default of --budget for a file: it may name hundreds of problems."""
MANY: Final = 40
"""From so many problems on, a file has three sessions instead of five."""
_LINE: Final = re.compile(
    r"(?:(?P<count>\d+(?:\.\d+)?)x\s+)?(?P<problem>[^#]*?)\s*(?:#\s*(?P<label>.*))?"
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with a problem: its place in the file, and its parts as they are written."""

    place: str
    problem: str
    count: str | None
    label: str | None


def suite_of(path: Path) -> Suite:
    """The suite of a file with one problem a line; a count before it, `# label` after it.

    Raises ValueError for a file that cannot be read or has no problem, and for a line that is not
    understood, with its number.
    """
    lines = list(_lines(path))
    if not lines:
        raise ValueError(f"{path} has no problem; expected one a line, as b1 h8 t512 d64 causal")
    step = path.name if any(line.count for line in lines) else ""

    def cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:  # noqa: ARG001 - the file decides
        return _merged(_case(line, step, devices[0]) for line in lines)

    cases(("cpu",), Gpu())  # refuses a wrong line before anything starts
    return Suite(
        name="problems",
        asks="Which implementation is fast on my problems?",
        description=f"the problems of {path}",
        cases=cases,
        sessions=sessions_for(len(lines)),
        budget_s=BUDGET_S,
        origin=str(path),
    )


def sessions_for(problems: int) -> int:
    """Sessions of a file with so many problems."""
    return 5 if problems < MANY else 3


def _lines(path: Path) -> Iterator[_Line]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line.strip())
        if found and found["problem"]:
            yield _Line(f"{path}, line {number}", **found.groupdict())


def _merged(cases: Iterable[Case]) -> tuple[Case, ...]:
    """One case for lines that differ in their counts only; a request drops equal cases."""
    counts: dict[Case, float] = {}
    for case in cases:
        alike = replace(case, count=1.0)
        counts[alike] = counts.get(alike, 0.0) + case.count
    return tuple(replace(case, count=count) for case, count in counts.items())


def _case(line: _Line, step: str, device: str) -> Case:
    try:
        problem = Problem.parse(line.problem, device=device)
    except ValueError as error:
        raise ValueError(f"{line.place}: {error}") from None
    count = float(line.count or 1)
    if not count:
        raise ValueError(f"{line.place}: 0 calls; expected more than 0")
    return Case(problem=problem, label=line.label or "", step=step, count=count)
