"""Tables of the page: the measurements and the verdicts of a run, and any Table as rows of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from markupsafe import Markup, escape

from reports import words
from reports.analysis import Analysis
from reports.html.filters import Filters
from reports.judging import verdict_words
from reports.judging.differences import interleaved_command
from reports.panels import heading, panels_of
from reports.sections import Row, Table, Value, facets
from suites.records.plan import Entry, Plan
from suites.stats.verdicts import WORDS

MOST_ROWS: Final = 1000
"""Of one table on the page; `export` has them all."""
NOT_RECORDED: Final = "not recorded"
ALONE: Final = " (this process)"
"""Follows the verdict of a single session."""


def measurement_table(analysis: Analysis) -> Table:
    """One row per problem, implementation and number of threads that has a time."""
    several = len(analysis.plan.threads) > 1
    entries = {entry.name: entry for entry in analysis.plan.entries}
    asked = ", implementation and number of threads" if several else " and implementation"
    rows = analysis.measurements
    left = left_out(len(rows), MOST_ROWS)
    return Table(
        caption=f"One row per problem{asked}. A heading sorts by its column.{left}",
        head=(
            "problem",
            "implementation",
            *(["threads"] if several else []),
            "median ms",
            "spread ms",
            "sessions",
            "samples",
            "disturbed",
            "first call ms",
            "page faults per call",
            "share of attainable",
            "peak MiB",
            "resident MiB",
            "share of the gate",
            "clock",
        ),
        rows=tuple(_measured(row, analysis.plan, entries) for row in rows[:MOST_ROWS]),
    )


def verdict_tables(analysis: Analysis) -> Iterator[tuple[str, Table]]:
    """The comparisons of each panel that has any, under the panel's name."""
    several = len(analysis.plan.threads) > 1
    entries = {entry.name: entry for entry in analysis.plan.entries}
    for panel in panels_of(analysis.plan):
        rows = [row for row in analysis.verdicts if row["panel"] == panel]
        if not rows:
            continue
        head = (
            "problem",
            "implementation",
            "against",
            *(["threads"] if several else []),
            "ratio [95 %]",
            "verdict",
            "floor",
            "sessions",
            "disturbed rounds",
            "ratio with disturbed",
            "more sessions",
            "reason",
        )
        kept = tuple(_compared(row, analysis.plan, entries) for row in rows[:MOST_ROWS])
        told = f"{heading(panel)} against the baseline: one row per comparison."
        yield (
            panel,
            Table(
                f"{told} A heading sorts by its column.{left_out(len(rows), MOST_ROWS)}", head, kept
            ),
        )


def left_out(count: int, most: int, what: str = "row") -> str:
    """That rows are left out, how many, and where they are; empty where all are there."""
    if count <= most:
        return ""
    left = words.counted(count - most, f"more {what}")
    return f" The first {most:,} only: {left} in what `run_bench.py export` writes."


def capped(table: Table) -> Table:
    """The table with no more rows than a page holds, and told so."""
    told = table.caption + left_out(len(table.rows), MOST_ROWS)
    return Table(told, table.head, table.rows[:MOST_ROWS])


def body(table: Table, filters: Filters) -> Markup:
    """The rows of a table as HTML; the first cell of each is its heading.

    Made here and not in the template: a large run has tens of thousands of cells.
    """
    commands = any(row.command for row in table.rows)
    return Markup("\n").join(_row(row, filters, commands=commands) for row in table.rows)


def _row(row: Row, filters: Filters, *, commands: bool) -> Markup:
    mark = f' data-f="{filters.mark(row.facets)}"' if row.facets else ""
    first, *others = row.cells
    cells = "".join(map(_cell, others))
    command = f"<td>{_command(row.command)}" if commands else ""
    head = f'<tr{mark}><th scope="row"{_order(first)}>{short(first.text)}'
    return Markup(head + cells + command)  # noqa: S704 - every part of it is escaped


def _cell(value: Value) -> str:
    word = value.text.removesuffix(ALONE)
    if word in WORDS:
        return f'<td class="verdict {word.replace(" ", "_")}">{value.text}</td>'
    if len(value.text) <= words.LONGEST_NAME:
        return f"<td{_order(value)}>{short(value.text)}"
    return f'<td class="long"{_order(value)}>{folded(value.text)}'


def _order(value: Value) -> str:
    """What a cell is sorted by, as an attribute without quotes: a tenth of a large page."""
    if value.order is None:
        return ""
    return f" data-v={value.order:.6g}" if words.known(value.order) else " data-v=none"


def _command(text: str) -> str:
    code = escape(words.printable(text)).replace("&#34;", '"')  # harmless in a text, and shorter
    return f"<details><summary>command</summary><code>{code}</code></details>" if text else ""


@lru_cache(maxsize=4096)
def short(text: str) -> Markup:
    """A name, abbreviated where it is long; the whole of it is its title."""
    told, line = words.abbreviated(text), words.printable(text)
    if told == line:
        return escape(told)
    return Markup('<span title="{}">{}</span>').format(line, told)


def folded(text: str) -> Markup:
    """A text of any length: a long one is folded, and opens to the whole of it."""
    whole = words.readable(text)
    if len(whole) <= words.LONGEST_TEXT:
        return escape(whole)
    some = words.abbreviated(text, words.LONGEST_TEXT // 3)
    unfold = Markup("<details><summary>{}</summary>{}</details>")
    return unfold.format(some, whole)


def _measured(row: dict[str, Any], plan: Plan, entries: dict[str, Entry]) -> Row:
    threads = [_whole(row["threads"])] if len(plan.threads) > 1 else []
    between = words.spread(row["low_ms"], row["high_ms"]) if row["sessions"] > 1 else "one session"
    again = row["checked_again"]
    cells = (
        Value(row["problem"]),
        Value(row["implementation"]),
        *threads,
        _figure(row["median_ms"], words.milliseconds(row["median_ms"])),
        _figure(row["high_ms"] - row["low_ms"], between),
        _whole(row["sessions"]),
        _whole(row["samples"]),
        _whole(row["disturbed"]),
        _figure(row["first_call_ms"], words.milliseconds(row["first_call_ms"])),
        _figure(row["page_faults"], words.number(row["page_faults"])),
        _figure(
            row["share_of_attainable"],
            words.attainable(row["share_of_attainable"], checked_again=again),
        ),
        _figure(row["peak_bytes"], words.mebibytes(row["peak_bytes"])),
        _figure(row["resident_bytes"], words.mebibytes(row["resident_bytes"])),
        _figure(row["share_of_bound"], words.share(row["share_of_bound"])),
        Value(row["clock"] or NOT_RECORDED),
    )
    command = words.repeat_command(row["problem"], entries[row["implementation"]])
    settings = words.setting_options(plan, row["threads"])
    return Row(cells, facets(row["problem"], row["implementation"]), command + settings)


def _compared(row: dict[str, Any], plan: Plan, entries: dict[str, Entry]) -> Row:
    threads = [_whole(row["threads"])] if len(plan.threads) > 1 else []
    interval = verdict_words.ratio_in(row["ratio"], row["low"], row["high"])
    alone = ALONE if row["basis"] == "this process" else ""
    cells = (
        Value(row["problem"]),
        Value(row["implementation"]),
        Value(row["baseline"]),
        *threads,
        _figure(row["ratio"], interval, "none"),
        Value(row["verdict"] + alone),
        _figure(row["floor"], verdict_words.floor(row["floor"]), "no twin"),
        _whole(row["sessions"]),
        Value(f"{row['disturbed']} of {row['rounds']}", _number(row["disturbed"])),
        _figure(row["ratio_all"], verdict_words.ratio(row["ratio_all"]), ""),
        _whole(row["more_sessions"], ""),
        Value(row["reason"]),
    )
    command = interleaved_command(
        row["problem"],
        entries[row["baseline"]],
        entries[row["implementation"]],
        sessions=plan.sessions,
    )
    settings = words.setting_options(plan, row["threads"])
    return Row(cells, facets(row["problem"], row["implementation"]), command + settings)


def _whole(count: int | None, absent: str = NOT_RECORDED) -> Value:
    return Value(absent if count is None else str(count), _number(count))


def _figure(number: float | None, text: str, absent: str = NOT_RECORDED) -> Value:
    return Value(text or absent, _number(number))


def _number(value: float | None) -> float:
    """What a cell is sorted by: not a number where nothing was measured."""
    return float("nan") if value is None else float(value)


def reason_rows(rows: Iterable[dict[str, Any]], most: int = 100) -> list[dict[str, Any]]:
    """Rows of `not_measured` with no more problems than a reader opens, and how many are left."""
    return [
        {**row, "shown": row["problems"][:most], "left": max(0, row["count"] - most)}
        for row in rows
    ]
