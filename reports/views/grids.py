"""Grids: problems down, implementations across; times, memory and agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from impls.interface import Problem
from reports.analysis.roofline import FEW_QUERIES, ReadRates, bytes_per_s, read_rates, reading
from reports.analysis.run_analysis import Analysis
from reports.rows.answers import STATES, State
from reports.rows.measurements import Measurement
from reports.rows.outcomes import Outcome
from reports.rows.panels import APPROXIMATIONS, names_of, problems_of
from reports.views.cases import labelled, labels_of
from reports.views.commands import labels
from reports.views.evidence import sentence
from reports.views.kernels import flagged, label
from reports.views.numbers import (
    NOT_SEEN,
    mebibytes,
    milliseconds,
    percent,
    share,
    spread,
    three_digits,
    times,
)
from reports.views.panels import subject
from reports.views.problems import common_words, shared_words, without
from reports.views.statuses import SHORT_WORDS, STATUS_WORDS, reason
from reports.views.text import counted
from suites.records.record import Pair

CellState = State | Literal["timed", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One implementation on one problem.

    text    a number or a word; empty when not measured
    state   `timed` for a number, `empty` for nothing, else how the answer ended
    title   the same in full: what the number is, or the reason
    least   whether it is the smallest number of its row
    level   the number itself; for agreement the share of the gate
    error   whether it is the error of an approximation, which is never good news
    same    the implementation that ran the same kernel, so that this one is not ranked
    """

    text: str
    state: CellState
    title: str = ""
    least: bool = False
    level: float | None = None
    error: bool = False
    same: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRow:
    """The cells of one row.

    label    without the words that all rows share; labels of cases on a line before it
    problem  what the row is filtered by; None: not a problem of its own
    """

    label: str
    cells: tuple[Cell, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows of cells, with one column for each implementation.

    caption  what the numbers are, as a sentence
    shared   the words that the labels of all rows leave out
    """

    title: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[GridRow, ...]
    caption: str = ""
    shared: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds a number."""
        return not any(cell.state == "timed" for row in self.rows for cell in row.cells)

    @property
    def marks_least(self) -> bool:
        """Whether the smallest number of each row is marked."""
        return any(cell.least for row in self.rows for cell in row.cells)

    def states(self) -> list[State]:
        """The states that occur, numbers aside, in the order they are shown in."""
        found = {cell.state for row in self.rows for cell in row.cells}
        return [state for state in STATES if state in found]


@dataclass(frozen=True, slots=True)
class _Quantity:
    name: str
    unit: str
    caption: str
    value: Callable[[Measurement], float | None]
    text: Callable[[float | None], str]
    title: Callable[[Measurement], str]
    absent: Callable[[Measurement], str] = lambda _: ""
    error: bool = False
    flag: Callable[[Measurement], str] = lambda _: ""


def _time_title(row: Measurement) -> str:
    """The spread of a time, the same kernel, and the fallback."""
    sessions = counted(row.sessions, "session")
    over = f"spread over {sessions}: {spread(row.low_ms, row.high_ms)} ms"
    return "; ".join(filter(None, (over, label(row.same_kernel), row.fallback)))


_TIME: Final = _Quantity(
    "Time",
    "ms",
    "Median milliseconds",
    lambda row: row.median_ms,
    milliseconds,
    _time_title,
    flag=lambda row: row.fallback,
)
_TOKENS: Final = _Quantity(
    "Time per new token",
    "us",
    "Median microseconds of a call over its queries",
    lambda row: row.us_per_token,
    milliseconds,
    _time_title,
)
_MEMORY: Final = _Quantity(
    "Memory",
    "MiB above the inputs",
    "Peak MiB above the inputs",
    lambda row: row.peak_bytes,
    mebibytes,
    lambda row: row.unseen,
    lambda row: _not_seen(row.resident_bytes) if row.unseen else "",
)
_ERROR: Final = _Quantity(
    "Error",
    "RMS error over RMS of the output",
    "Distance of the output from exact attention",
    lambda row: row.evidence.relative_error,
    percent,
    lambda _: "an output of zeros would be 100 %",
    error=True,
)


_READ_CAPTION: Final = (
    f"Read rate of problems with {FEW_QUERIES} times as many keys as queries or more: the bytes of "
    "inputs and output, over the median time. Above 100 % the data came from a cache"
)


def time_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Median milliseconds of the implementations of a panel."""
    return _measured(analysis, panel, _TIME)


def token_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Median microseconds per new token; only of problems whose keys came before, as in decode."""
    grid = _measured(analysis, panel, _TOKENS)
    rows = (row for row in grid.rows if row.problem and row.problem.has_older_tokens)
    return replace(grid, rows=tuple(rows))


def memory_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Peak MiB above the inputs of the implementations of a panel."""
    return _measured(analysis, panel, _MEMORY)


def error_grid(analysis: Analysis, *, panel: str) -> Grid:
    """How far approximations are from exact attention; empty for any other panel."""
    if panel != APPROXIMATIONS:
        return Grid(title="", unit="", columns=(), rows=())
    return _measured(analysis, panel, _ERROR)


def read_grid(analysis: Analysis, *, panel: str) -> Grid:
    """GB/s of problems of few queries over many keys, and the share of the read rate from memory.

    Empty where there is no such problem, or no read rate was measured.
    """
    rates, few = read_rates(analysis), reading(analysis, panel)
    if not few:
        return Grid(title="", unit="", columns=(), rows=())
    found = {
        (row.problem, row.implementation): _read_cell(row, rates[row.problem.device].memory)
        for row in few
    }
    grid = _of_panel(
        analysis,
        panel,
        found,
        title=", ".join([f"Read rate of {subject(panel)}", *labels(analysis.plan)]),
        unit=f"GB/s and % of {_read_words(rates.values())}",
    )
    rows = tuple(row for row in grid.rows if any(row.problem == each.problem for each in few))
    return replace(grid, rows=rows, caption=_READ_CAPTION)


def _read_cell(row: Measurement, memory: float) -> Cell:
    rate = bytes_per_s(row)
    words = f"{three_digits(rate / 1e9)} {100 * rate / memory:.0f} %"
    return Cell(text=words, state="timed", title=_time_title(row), same=row.same_kernel)


def _read_words(rates: Collection[ReadRates]) -> str:
    """The read rates: 29.3 from memory, 168 from cache; of several devices with their names."""
    return "; ".join(
        (f"{each.device} " if len(rates) > 1 else "")
        + f"{three_digits(each.memory / 1e9)} from memory"
        + (f", {three_digits(each.cache / 1e9)} from cache" if each.cache else "")
        for each in rates
    )


def speed_up_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Milliseconds with the fewest threads, and the speed-up by the most threads.

    Without a number where the run has one number of threads only.
    """
    fewest, most = min(analysis.plan.threads), max(analysis.plan.threads)
    medians: dict[Pair, dict[int, float]] = defaultdict(dict)
    for row in analysis.measurements:
        medians[row.problem, row.implementation][row.threads] = row.median_ms
    found = {
        pair: Cell(
            text=f"{milliseconds(own[fewest])} {times(own[fewest] / own[most])}", state="timed"
        )
        for pair, own in medians.items()
        if fewest < most and own.get(fewest) and own.get(most)
    }
    title = f"Speed-up of {subject(panel)} by {counted(most, 'thread')}"
    return _of_panel(
        analysis,
        panel,
        found,
        title=", ".join([title, *labels(analysis.plan, threads=False)]),
        unit=f"ms with {fewest} and how many times as fast with {most}",
    )


def agreement_grid(analysis: Analysis) -> Grid:
    """The share used of what the gate allows, or how the answer ended instead."""
    cells = {(row.problem, row.implementation): _agreement_cell(row) for row in analysis.outcomes}
    names = tuple(entry.name for entry in analysis.plan.entries)
    return Grid(
        title="Agreement with the reference",
        unit="share of the gate",
        columns=names,
        rows=_rows(analysis, analysis.plan.problems, names, cells),
        shared=_shared(analysis.plan.problems),
    )


def _measured(analysis: Analysis, panel: str, quantity: _Quantity) -> Grid:
    found = {
        (row.problem, row.implementation): Cell(
            text=flagged(
                quantity.text(quantity.value(row)) or quantity.absent(row), quantity.flag(row)
            ),
            state="timed",
            title=quantity.title(row),
            level=quantity.value(row),
            error=quantity.error,
            same=row.same_kernel,
        )
        for row in analysis.with_most_threads
    }
    grid = _of_panel(
        analysis,
        panel,
        found,
        title=", ".join([f"{quantity.name} of {subject(panel)}", *labels(analysis.plan)]),
        unit=quantity.unit,
    )
    if not quantity.error:
        rows = tuple(replace(row, cells=marked(row.cells)) for row in grid.rows)
        grid = replace(grid, rows=rows)
    return replace(grid, caption=quantity.caption)


def _of_panel(
    analysis: Analysis, panel: str, found: Mapping[Pair, Cell], *, title: str, unit: str
) -> Grid:
    """A grid of a panel: the cells found, and how the other answers ended.

    Problems that every implementation refuses have no row.
    """
    names, problems = tuple(names_of(analysis.plan, panel)), problems_of(analysis.plan, panel)
    ended = {(row.problem, row.implementation): _ending_cell(row) for row in analysis.outcomes}
    rows = _rows(analysis, problems, names, {**ended, **found})
    rows = tuple(row for row in rows if not _is_refused(row.cells))
    return Grid(title=title, unit=unit, columns=names, rows=rows, shared=_shared(problems))


def _rows(
    analysis: Analysis,
    problems: Sequence[Problem],
    names: tuple[str, ...],
    cells: Mapping[Pair, Cell],
) -> tuple[GridRow, ...]:
    """A row for each of these problems."""
    shared, named = shared_words(problems), labels_of(analysis.plan)
    return tuple(
        GridRow(
            label=labelled(problem, without(problem, shared), named, between="\n"),
            cells=tuple(cells[problem, name] for name in names),
            problem=problem,
        )
        for problem in problems
    )


def _shared(problems: Sequence[Problem]) -> str:
    return common_words(problems[0], shared_words(problems)) if problems else ""


def _is_refused(cells: tuple[Cell, ...]) -> bool:
    return all(cell.state in ("refused", "missing") for cell in cells)


def marked(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """The row with its smallest number marked, where it has two numbers or more.

    Of implementations that ran the same kernel, one is ranked.
    """
    levels = [cell.level for cell in cells if cell.level is not None and not cell.same]
    if len(levels) < 2:
        return cells
    least = min(levels)
    return tuple(replace(cell, least=cell.level == least and not cell.same) for cell in cells)


def _ending_cell(row: Outcome) -> Cell:
    if row.status == "ok":
        return Cell(text=SHORT_WORDS["ok"], state="ok", title="agrees; it has no time")
    return Cell(text=SHORT_WORDS[row.status], state=row.status, title=reason(row.cause, row.reason))


def _agreement_cell(row: Outcome) -> Cell:
    found = row.evidence
    untimed = row.status == "not_reached" and found.relative_error is not None
    if row.status != "ok" and not untimed:
        word, why = STATUS_WORDS[row.status], reason(row.cause, row.reason)
        return Cell(text=word, state=row.status, title=why, level=found.share)
    if row.panel == APPROXIMATIONS:
        off = percent(found.relative_error)
        title = f"RMS error of the output over its RMS: {off}; the gate judges no approximation"
        level = found.relative_error
        return Cell(text=f"off by {off}", state="ok", title=title, level=level, error=True)
    used = share(found.share)
    parts = (
        f"{used} of what the gate allows" if used else "agrees; no share was recorded",
        "" if found.readout is None else f"mask read out: {_readout(exact=found.readout)}",
        ""
        if found.rows_checked is None
        else f"{counted(found.rows_checked, 'query row')} compared",
        sentence(found),
    )
    title = "; ".join(part for part in parts if part)
    return Cell(text=used or "agrees", state="ok", title=title, level=found.share)


def _not_seen(resident: int | None) -> str:
    """Stands for the peak; the growth of resident memory is beside it, where it was read."""
    beside = mebibytes(resident)
    return f"{NOT_SEEN} ({beside} resident)" if beside else NOT_SEEN


def _readout(*, exact: bool) -> str:
    return "exact" if exact else "differs"
