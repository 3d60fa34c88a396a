"""Problems down, implementations across: times, memory and agreement at a glance.

The terminal and the page draw the same grids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from reports import words
from reports.analysis import Analysis
from reports.evidence import sentence
from reports.judging.verdict_words import percent
from reports.panels import APPROXIMATIONS, subject
from suites.records.store import Run

Pair = tuple[str, str]
"""A problem and an implementation on it."""
_TEXT_OF: Final[dict[str, Callable[[float | None], str]]] = {
    "median_ms": words.milliseconds,
    "peak_bytes": words.mebibytes,
    "relative_error": percent,
}
_UNITS: Final = {
    "median_ms": "ms",
    "peak_bytes": "MiB above the inputs",
    "relative_error": "RMS error over RMS of the output",
}
CAPTIONS: Final = {
    _UNITS["median_ms"]: "Median milliseconds",
    _UNITS["peak_bytes"]: "Peak MiB above the inputs",
    _UNITS["relative_error"]: "How far the output lies from that of exact attention",
}
"""What the numbers of a grid are, by its unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One implementation on one problem.

    text    a number or a word; empty when nothing is known
    state   `timed`, or a key of STATUS_WORDS
    title   the same in full: what the number is, or the reason
    least   the smallest number of its row
    level   for agreement: the part of the gate that was used, else None
    """

    text: str
    state: str
    title: str = ""
    least: bool = False
    level: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows of cells, one row a problem and one column an implementation.

    shared  the words that all problems have, which the labels of the rows leave out
    """

    title: str
    unit: str
    shared: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]

    def label(self, problem: str) -> str:
        """What its row is called."""
        return words.without(problem, frozenset(self.shared.split()))

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds a number."""
        return not any(cell.state == "timed" for _, cells in self.rows for cell in cells)

    def states(self) -> list[str]:
        """The states that occur, gravest first, numbers aside."""
        found = {cell.state for _, cells in self.rows for cell in cells}
        return [state for state in words.STATUS_WORDS if state in found]


def time_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Median milliseconds of those in a panel."""
    title = f"Time of {subject(panel)}"
    return _measured(analysis, panel=panel, title=title, column="median_ms")


def memory_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Peak MiB above the inputs of those in a panel."""
    title = f"Memory of {subject(panel)}"
    return _measured(analysis, panel=panel, title=title, column="peak_bytes")


def error_grid(analysis: Analysis, *, panel: str) -> Grid:
    """How far approximations lie from exact attention; nothing for any other panel."""
    if panel != APPROXIMATIONS:
        return Grid(title="", unit="", shared="", columns=(), rows=())
    title = f"Error of {subject(panel)}"
    return _measured(analysis, panel=panel, title=title, column="relative_error")


def speed_up_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Milliseconds with the fewest threads, and how many times as fast the most threads are.

    Without a number where the run has one number of threads only.
    """
    fewest, most = min(analysis.plan.threads), max(analysis.plan.threads)
    times: dict[Pair, dict[int, float]] = defaultdict(dict)
    for row in analysis.measurements:
        times[row["problem"], row["implementation"]][row["threads"]] = row["median_ms"]
    found = {
        pair: Cell(
            text=f"{words.milliseconds(own[fewest])} {own[fewest] / own[most]:.2f}x", state="timed"
        )
        for pair, own in times.items()
        if fewest < most and own.get(fewest) and own.get(most)
    }
    title = f"Speed-up of {subject(panel)} by {words.counted(most, 'thread')}"
    unit = f"ms with {fewest} and how many times as fast with {most}"
    labels = words.labels(analysis.plan, threads=False)
    return _of_panel(analysis, panel, found, title=", ".join([title, *labels]), unit=unit)


def agreement_grid(analysis: Analysis) -> Grid:
    """The part of what the gate allows that each answer used, or how it ended instead."""
    cells = {
        (row["problem"], row["implementation"]): _agreement_cell(row) for row in analysis.outcomes
    }
    names = tuple(entry.name for entry in analysis.plan.entries)
    return _grid(
        analysis.run, names, cells, title="Agreement with the reference", unit="share of the gate"
    )


def _measured(analysis: Analysis, *, panel: str, title: str, column: str) -> Grid:
    text = _TEXT_OF[column]
    found = {
        (row["problem"], row["implementation"]): Cell(
            text=text(row[column]),
            state="timed",
            title=_spread_words(row) if column == "median_ms" else "",
            level=row[column],
        )
        for row in analysis.with_most_threads
    }
    title = ", ".join([title, *words.labels(analysis.plan)])
    return _of_panel(analysis, panel, found, title=title, unit=_UNITS[column], mark_least=True)


def _of_panel(
    analysis: Analysis,
    panel: str,
    found: Mapping[Pair, Cell],
    *,
    title: str,
    unit: str,
    mark_least: bool = False,
) -> Grid:
    """A grid of those in a panel: the cells found, and how the others ended."""
    names = tuple(entry.name for entry in analysis.plan.entries if entry.panel == panel)
    ended = {
        (row["problem"], row["implementation"]): _ending_cell(row) for row in analysis.outcomes
    }
    grid = _grid(
        analysis.run, names, {**ended, **found}, title=title, unit=unit, mark_least=mark_least
    )
    return replace(grid, rows=tuple(row for row in grid.rows if not _is_declined(row[1])))


def _grid(
    run: Run,
    names: tuple[str, ...],
    cells: Mapping[Pair, Cell],
    *,
    title: str,
    unit: str,
    mark_least: bool = False,
) -> Grid:
    shared = words.shared_words(run.plan.problems)
    order = [word for word in run.plan.problems[0].split() if word in shared] if shared else []
    rows = []
    for problem in run.plan.problems:
        row = tuple(cells[problem, name] for name in names)
        rows.append((problem, _marked(row) if mark_least else row))
    return Grid(title=title, unit=unit, shared=" ".join(order), columns=names, rows=tuple(rows))


def _is_declined(row: tuple[Cell, ...]) -> bool:
    """Whether nobody takes the problem: the reasons stand elsewhere, the row would be dashes."""
    return all(cell.state in ("refused", "missing") for cell in row)


def _marked(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """The row with its smallest number marked, where there are at least two to choose from."""
    levels = [cell.level for cell in row if cell.level is not None]
    if len(levels) < 2:
        return row
    return tuple(replace(cell, least=cell.level == min(levels)) for cell in row)


def _ending_cell(row: dict[str, Any]) -> Cell:
    status, reason = row["status"], row["reason"]
    if status == "ok":
        return Cell(text=words.SHORT_WORDS["ok"], state="ok", title="agrees; it has no time")
    return Cell(text=words.SHORT_WORDS[status], state=status, title=reason)


def _agreement_cell(row: dict[str, Any]) -> Cell:
    untimed = row["status"] == words.UNREACHED and row["relative_error"] is not None
    if row["status"] != "ok" and not untimed:
        word = words.STATUS_WORDS[row["status"]]
        return Cell(text=word, state=row["status"], title=row["reason"], level=row["share"])
    if row["panel"] == APPROXIMATIONS:
        off = percent(row["relative_error"])
        title = f"RMS error of the output over its RMS: {off}; no share of the gate, it claims none"
        return Cell(text=f"off by {off}", state="ok", title=title, level=row["relative_error"])
    seen = words.share(row["share"])
    title = f"{seen} of what the gate allows" if seen else "agrees; no share was recorded"
    if row["readout"] is not None:
        title += "; mask read out: " + ("exact" if row["readout"] else "differs")
    if row["rows_checked"] is not None:
        title += f"; {words.counted(row['rows_checked'], 'query row')} compared"
    title = "; ".join(filter(None, [title, sentence(row)]))
    return Cell(text=seen or "agrees", state="ok", title=title, level=row["share"])


def _spread_words(row: dict[str, Any]) -> str:
    between = words.spread(row["low_ms"], row["high_ms"])
    return f"spread over {words.counted(row['sessions'], 'session')}: {between} ms"
