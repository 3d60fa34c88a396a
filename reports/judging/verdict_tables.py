"""Verdicts as tables of a terminal: row by row, or counted where there are too many rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports import words
from reports.analysis import Analysis
from reports.judging.compare import Comparison
from reports.judging.verdict_words import floor, ratio, ratio_in, summary_sentences
from reports.panels import heading, panels_of
from reports.printing.layout import MOST, Name, table
from reports.tables import rows_of
from suites.stats.verdicts import WORDS

MOST_ROWS: Final = 40
"""More than these are counted, one line an implementation."""
STYLES: Final = {
    "faster": "green",
    "slower": "red",
    "inconclusive": "dim",
    "not judged": "dim",
}
"""How each verdict is marked, beside its word."""

Rows = Sequence[dict[str, Any]]
Column = tuple[str, Callable[[dict[str, Any]], str]]
"""A heading, and what a row has under it."""
Lead = tuple[str, dict[str, Any] | None]
"""What stands first on a line, and its row; a line that only heads others has none."""

_JUDGED: Final[tuple[Column, ...]] = (
    ("ratio [95 %]", lambda row: ratio_in(row["ratio"], row["low"], row["high"])),
    ("verdict", lambda row: _said(row)),  # noqa: PLW0108 - it stands further down
    ("floor", lambda row: floor(row["floor"])),
)
_OF_VERDICTS: Final[tuple[Column, ...]] = (
    *_JUDGED,
    ("sessions", lambda row: _number(row["sessions"])),
    ("more", lambda row: _number(row["more_sessions"])),
)
_OF_COMPARISONS: Final[tuple[Column, ...]] = (
    ("base ms", lambda row: words.milliseconds(row["base_ms"])),
    ("new ms", lambda row: words.milliseconds(row["new_ms"])),
    *_JUDGED,
)


def verdict_tables(analysis: Analysis) -> list[RenderableType]:
    """A table for each baseline, then what was concluded; nothing where nothing was compared."""
    rows = analysis.verdicts
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["panel"], row["baseline"]].append(row)
    few = len(rows) <= MOST_ROWS
    tables = [
        _table(own, f"{_who(own) or heading(panel)} against {baseline}", _OF_VERDICTS, few=few)
        for panel in panels_of(analysis.plan)
        for (of, baseline), own in grouped.items()
        if of == panel
    ]
    where = [] if few else ["Every row stands on the page."]
    return [*tables, *_lines([*summary_sentences(analysis), *where]), *notes(rows)]


def compare_tables(compared: Comparison) -> list[RenderableType]:
    """The table of a comparison, then what a reader has to know of it."""
    rows = rows_of(compared.table)
    few = len(rows) <= MOST_ROWS
    alone = "" if _who(rows) in ("", compared.new) else f"{_who(rows)}: "
    title = f"{alone}{compared.new} against {compared.base}"
    tables = [_table(rows, title, _OF_COMPARISONS, few=few)] if rows else []
    where = [] if few else ["Every row: --json."]
    unlike = [f"Not alike: {each}." for each in compared.differences]
    return [*tables, *_lines([*compared.sentences, *unlike, *where]), *notes(rows)]


def notes(rows: Iterable[dict[str, Any]]) -> list[RenderableType]:
    """What is to be said of verdicts, each reason once with how many rows it is said of."""
    found = Counter((row["verdict"], row["reason"]) for row in rows if row["reason"])
    lines = [f"{count} {verdict}: {reason}" for (verdict, reason), count in found.items()]
    return [Text(words.abbreviated(line, words.LONGEST_TEXT), style="dim") for line in lines]


def _who(rows: Rows) -> str:
    """The one implementation that all rows are of; empty when they are of several."""
    names = {row["implementation"] for row in rows}
    return names.pop() if len(names) == 1 else ""


def _table(rows: Rows, title: str, columns: tuple[Column, ...], *, few: bool) -> Group:
    """Row by row where there are few; what all rows have in common stands in the title."""
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    shared = words.shared_words(problems) if len(problems) > 1 else frozenset(problems[0].split())
    kept = " ".join(word for word in problems[0].split() if word in shared)
    made = table()
    if few:
        _add_rows(made, _leads(rows, shared), columns)
    else:
        _add_counts(made, rows)
    said = words.abbreviated(f"{title} ({kept})" if kept and few else title, 2 * words.LONGEST_NAME)
    return Group(Text(f"\n{said}", style="bold"), made)  # a title is as wide as the terminal


def _leads(rows: Rows, shared: frozenset[str]) -> Iterator[Lead]:
    """Each row with what it is called: where it was measured, or who, or who below where."""
    wheres = [_where(row, rows, shared) for row in rows]
    several = len(set(wheres)) > 1
    before = ""
    for where, row in zip(wheres, rows, strict=True):
        name = words.abbreviated(row["implementation"], MOST)
        if several and not _who(rows):
            if where != before:
                yield where, None
            yield f"  {name}", row
        else:
            yield (where if several else name), row
        before = where


def _where(row: dict[str, Any], rows: Rows, shared: frozenset[str]) -> str:
    """The problem, without what all share, and the threads; of these, what differs."""
    parts = []
    if len({each["problem"] for each in rows}) > 1:
        parts.append(words.without(row["problem"], shared))
    if len({each["threads"] for each in rows}) > 1:
        parts.append(words.counted(row["threads"], "thread"))
    return ", ".join(parts)


def _add_rows(made: Table, leads: Iterable[Lead], columns: tuple[Column, ...]) -> None:
    kept = [(Name(lead), row) for lead, row in leads]
    made.add_column("", overflow="fold", min_width=max(name.least for name, _ in kept))
    for head, _ in columns:
        made.add_column(head, justify="right", no_wrap=True)
    for name, row in kept:
        cells = (Text(cell(row), style=_style(head, row)) for head, cell in columns) if row else ()
        made.add_row(name, *cells)


def _add_counts(made: Table, rows: Rows) -> None:
    found = [word for word in WORDS if any(row["verdict"] == word for row in rows)]
    names = dict.fromkeys(row["implementation"] for row in rows)
    shown = {name: Name(words.abbreviated(name, MOST)) for name in names}
    least = max(each.least for each in shown.values())
    made.add_column("implementation", overflow="fold", min_width=least)
    for word in found:
        made.add_column(word, justify="right")
    made.add_column("ratios", justify="right", no_wrap=True)
    for name in names:
        own = [row for row in rows if row["implementation"] == name]
        counts = Counter(row["verdict"] for row in own)
        cells = (Text(str(counts[word] or ""), style=STYLES.get(word, "")) for word in found)
        made.add_row(shown[name], *cells, _range(own))


def _range(rows: Rows) -> str:
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    return f"{ratio(min(ratios))} to {ratio(max(ratios))}" if ratios else ""


def _style(head: str, row: dict[str, Any]) -> str:
    return STYLES.get(row["verdict"], "") if head == "verdict" else ""


def _said(row: dict[str, Any]) -> str:
    """A verdict in words; that of a single session says so, on a line of its own."""
    alone = row["basis"] == "this process"
    return f"{row['verdict']}\n(this process)" if alone else str(row["verdict"])


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _lines(sentences: Iterable[str]) -> list[RenderableType]:
    """Sentences, a line each, set off from what stands above."""
    lines = [words.abbreviated(each, words.LONGEST_TEXT) for each in sentences]
    return [Text("\n" + "\n".join(lines))] if lines else []
