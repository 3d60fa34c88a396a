"""One implementation on problems that differ in length only: what growth is told of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from reports.analysis import Analysis
from reports.families import AXES, Group, groups
from reports.panels import panels_of
from reports.tables import parsed

LENGTH: Final = next(axis for axis in AXES if axis.name == "length")

Rows = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One implementation over lengths.

    problems  those it agrees on, the shortest first
    lacking   rows of `outcomes` of the others, the shortest first
    """

    implementation: str
    problems: tuple[str, ...]
    lacking: Rows

    @property
    def sizes(self) -> tuple[int, ...]:
        """The length of each of its problems."""
        return tuple(size(problem) for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Family:
    """Lines that one chart holds, all of one panel; `where` is what their problems have in common.

    label, common  the two parts of it, as on other charts
    """

    panel: str
    label: str
    common: str
    mask: str
    lines: tuple[Line, ...]

    @property
    def where(self) -> str:
        """What sets it apart, then what it shares with the others."""
        return ", ".join(part for part in (self.label, self.common) if part)

    @property
    def problems(self) -> list[str]:
        """Every problem of its lines, each once."""
        return list(dict.fromkeys(problem for line in self.lines for problem in line.problems))


def size(problem: str) -> int:
    """The length that a problem stands at."""
    return LENGTH.size(parsed(problem))


def families(analysis: Analysis) -> list[Family]:
    """Those of a run with two lengths or more, in the order of its charts."""
    return [family for panel in panels_of(analysis.plan) for family in _of_panel(analysis, panel)]


def _of_panel(analysis: Analysis, panel: str) -> Iterable[Family]:
    own = [row for row in analysis.outcomes if row["panel"] == panel]
    agreeing = [row for row in own if row["status"] == "ok"]
    others = [row for row in own if row["status"] != "ok"]
    for group in groups(LENGTH, agreeing, others):
        lines = tuple(line for line in _lines(group) if len(line.problems) > 1)
        if lines:
            yield Family(panel, group.label, group.common, group.mask, lines)


def _lines(group: Group) -> Iterable[Line]:
    """By implementation, and by every other word of the problems: one problem for each length."""
    found, lacking = _sorted_out(group.drawn), _sorted_out(group.lacking)
    for (name, rest), rows in sorted(found.items()):
        problems = tuple(row["problem"] for row in rows)
        yield Line(name, problems, tuple(lacking.get((name, rest), ())))


def _sorted_out(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: size(row["problem"])):
        found[row["implementation"], _without_length(row["problem"])].append(row)
    return found


def _without_length(problem: str) -> str:
    return " ".join(word for word in problem.split() if not _is_length(word))


def _is_length(word: str) -> bool:
    return word.startswith("t") and word[1:2].isdecimal()
