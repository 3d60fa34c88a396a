"""Verdicts as tables: row by row, or counted where there are many rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.analysis.comparison import Comparison, ComparisonRow
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import Judged, VerdictRow
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.rows.panels import panels_of
from reports.views import across, comparison, differences
from reports.views.comparison import row_reason
from reports.views.numbers import floor, milliseconds, ratio, ratio_in
from reports.views.panels import heading
from reports.views.problems import common_words, shared_words, without
from reports.views.text import LONGEST_NAME, LONGEST_TEXT, abbreviated, counted
from reports.views.verdicts import reason
from suites.stats.verdicts import WORDS

MOST_ROWS: Final = 40
"""Rows of a table; more are counted, one line for each implementation."""
STYLES: Final = {
    "faster": "green",
    "slower": "red",
    "inconclusive": "dim",
    "not judged": "dim",
}
"""Colours of the verdicts."""

VERDICT_HEAD: Final = ("ratio [95 %]", "verdict", "floor", "sessions", "more")
COMPARISON_HEAD: Final = ("base ms", "new ms", "ratio [95 %]", "verdict", "floor")

Row = VerdictRow | ComparisonRow
Rows = Sequence[Row]
Lead = tuple[str, Row | None]
"""The first cell of a line, and its row; None for a line that heads others."""


def verdict_tables(
    analysis: Analysis, panels: Collection[str] | None = None
) -> list[RenderableType]:
    """A table for each baseline, with notes; nothing where nothing was compared.

    panels  None: all
    """
    rows = [row for row in analysis.verdicts if panels is None or row.panel in panels]
    grouped: dict[tuple[str, str], list[VerdictRow]] = defaultdict(list)
    for row in rows:
        grouped[row.panel, row.baseline].append(row)
    few = len(rows) <= MOST_ROWS
    tables = [
        _table(own, f"{_single(own) or heading(panel)} against {baseline}", VERDICT_HEAD, few=few)
        for panel in panels_of(analysis.plan)
        for (of, baseline), own in grouped.items()
        if of == panel
    ]
    where = [] if few else ["Every row is on the page."]
    return [*tables, *_lines(where), *notes(rows)]


def across_tables(analysis: Analysis) -> list[RenderableType]:
    """Implementations of other panels against the baseline of --against.

    What they compute, and their errors, are in the sentences at the end of a run.
    """
    rows = analysis.across
    if not rows:
        return []
    few = len(rows) <= MOST_ROWS
    title = f"{across.HEADING}: other functions against {abbreviated(rows[0].baseline)}"
    return [_table(rows, title, VERDICT_HEAD, few=few), *notes(rows)]


def compare_tables(compared: Comparison) -> list[RenderableType]:
    """The table of a comparison, then its sentences."""
    rows = compared.rows
    few = len(rows) <= MOST_ROWS
    alone = "" if _single(rows) in ("", compared.new) else f"{_single(rows)}: "
    title = f"{alone}{compared.new} against {compared.base}"
    tables = [_table(rows, title, COMPARISON_HEAD, few=few)] if rows else []
    where = [] if few else ["Every row: --json."]
    unlike = [f"Not alike: {each}." for each in differences.sentences(compared)]
    said = [*comparison.sentences(compared), *unlike, *where]
    return [*tables, *_lines(said), *notes(rows)]


def notes(rows: Iterable[Row]) -> list[RenderableType]:
    """The reasons of verdicts, each once with the number of its rows."""
    found = Counter((row.verdict, _reason(row)) for row in rows if _reason(row))
    lines = [f"{count} {verdict}: {why}" for (verdict, why), count in found.items()]
    return [Text(abbreviated(line, LONGEST_TEXT), style="dim") for line in lines]


def _reason(row: Row) -> str:
    return row_reason(row) if isinstance(row, ComparisonRow) else reason(row)


def _single(rows: Rows) -> str:
    """The implementation of all rows; empty when they are of several."""
    names = {row.implementation for row in rows}
    return names.pop() if len(names) == 1 else ""


def _table(rows: Rows, title: str, head: tuple[str, ...], *, few: bool) -> Group:
    """Row by row where there are few; the title has what all problems share."""
    problems = list(dict.fromkeys(row.problem for row in rows))
    several = len(problems) > 1
    shared = shared_words(problems) if several else frozenset(str(problems[0]).split())
    kept = common_words(problems[0], shared)
    made = table()
    if few:
        _add_rows(made, _leads(rows, shared), head)
    else:
        _add_counts(made, rows)
    said = abbreviated(f"{title} ({kept})" if kept and few else title, 2 * LONGEST_NAME)
    return Group(
        Text(f"\n{said}", style="bold"), Fitting(made)
    )  # a title is as wide as the terminal


def _leads(rows: Rows, shared: frozenset[str]) -> Iterator[Lead]:
    """Each row with its name: the problem, or the implementation, or both on two levels."""
    wheres = [_where(row, rows, shared) for row in rows]
    several = len(set(wheres)) > 1
    before = ""
    for where, row in zip(wheres, rows, strict=True):
        name = abbreviated(row.implementation, MOST)
        if several and not _single(rows):
            if where != before:
                yield where, None
            yield f"  {name}", row
        else:
            yield (where if several else name), row
        before = where


def _where(row: Row, rows: Rows, shared: frozenset[str]) -> str:
    """The problem and the threads, as far as they differ between the rows."""
    parts = []
    if len({each.problem for each in rows}) > 1:
        parts.append(without(row.problem, shared))
    if len({each.threads for each in rows}) > 1:
        parts.append(counted(row.threads, "thread"))
    return ", ".join(parts)


def _add_rows(made: Table, leads: Iterable[Lead], head: tuple[str, ...]) -> None:
    kept = [(Name(lead), row) for lead, row in leads]
    made.add_column("", overflow="fold", min_width=max(name.least for name, _ in kept))
    for title in head:
        made.add_column(title, justify="right", no_wrap=True)
    for name, row in kept:
        made.add_row(name, *(_cells(row) if row else ()))


def _cells(row: Row) -> list[Text]:
    judged = [
        Text(ratio_in(row.ratio, row.low, row.high)),
        Text(_verdict(row), style=STYLES.get(row.verdict, "")),
        Text(floor(row.floor)),
    ]
    if isinstance(row, ComparisonRow):
        return [Text(milliseconds(row.base_ms)), Text(milliseconds(row.new_ms)), *judged]
    return [*judged, Text(_number(row.sessions)), Text(_number(row.more_sessions))]


def _add_counts(made: Table, rows: Rows) -> None:
    found = [word for word in WORDS if any(row.verdict == word for row in rows)]
    names = dict.fromkeys(row.implementation for row in rows)
    shown = {name: Name(abbreviated(name, MOST)) for name in names}
    least = max(each.least for each in shown.values())
    made.add_column("implementation", overflow="fold", min_width=least)
    for word in found:
        made.add_column(word, justify="right")
    made.add_column("ratios", justify="right", no_wrap=True)
    for name in names:
        own = [row for row in rows if row.implementation == name]
        counts = Counter(row.verdict for row in own)
        cells = (Text(str(counts[word] or ""), style=STYLES.get(word, "")) for word in found)
        made.add_row(shown[name], *cells, _range(own))


def _range(rows: Rows) -> str:
    ratios = [row.ratio for row in rows if row.ratio is not None]
    return f"{ratio(min(ratios))} to {ratio(max(ratios))}" if ratios else ""


def _verdict(row: Judged) -> str:
    """The word of a verdict; that of a single session has a second line.

    Implementations that ran the same kernel are not ranked.
    """
    if isinstance(row, VerdictRow) and row.same_kernel:
        return "same kernel"
    return f"{row.verdict}\n(this process)" if row.basis == "this process" else row.verdict


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _lines(sentences: Iterable[str]) -> list[RenderableType]:
    """One line for each sentence, after an empty line."""
    lines = [abbreviated(each, LONGEST_TEXT) for each in sentences]
    return [Text("\n" + "\n".join(lines))] if lines else []
