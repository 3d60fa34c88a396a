"""Comparisons and histories as markdown: the gate, what changed most, and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.comparison import Comparison, ComparisonRow
from reports.analysis.gate import Gate
from reports.analysis.history import History
from reports.outputs.markdown.text import code, details, escaped, table
from reports.views import comparison, differences
from reports.views import gate as gates
from reports.views.history import numbered
from reports.views.numbers import milliseconds, ratio_in
from reports.views.problems import common_words, shared_words, without
from reports.views.text import LONGEST_TEXT, abbreviated, counted

MOST_ROWS: Final = 16
"""Rows of a table; more are counted."""


def of_comparison(found: Comparison, gate: Gate | None = None) -> str:
    """The line of the gate or the first sentence, a table of what differs most, and the rest."""
    first, *others = comparison.sentences(found)
    gated = [gates.sentence(gate, found)] if gate is not None else []
    unlike = [f"Not alike: {each}." for each in differences.sentences(found)]
    said = [escaped(abbreviated(each, LONGEST_TEXT)) for each in (*gated, first, *others, *unlike)]
    parts = [f"**{said[0]}**", *_table(found), details("Details", said[1:])]
    return "\n\n".join(filter(None, parts)) + "\n"


def of_history(found: History) -> str:
    """The runs, then each change as a comparison."""
    parts = [escaped(numbered(found)), *map(of_comparison, found.changes)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _table(found: Comparison) -> Iterator[str]:
    """The rows with a ratio, those that differ most first; then how many there are besides."""
    every = sorted(filter(lambda row: row.ratio, found.rows), key=_difference, reverse=True)
    shown = every[:MOST_ROWS]
    if not shown:
        return
    problems = list(dict.fromkeys(row.problem for row in found.rows))
    shared = shared_words(problems)
    yield f"{code(found.new)} against {code(found.base)}, {escaped(_common(found, shared))}"
    head = ("problem", "implementation", "threads", "base ms", "new ms", "ratio [95 %]", "verdict")
    yield table(head, [_cells(row, found, shared) for row in shown])
    left = len(found.rows) - len(shown)
    yield f"{counted(left, 'further comparison')}: compare prints them all." if left else ""


def _common(found: Comparison, shared: frozenset[str]) -> str:
    """The words that all problems share; the whole problem where there is only one."""
    first = found.rows[0].problem
    return common_words(first, shared) if shared else str(first)


def _cells(row: ComparisonRow, found: Comparison, shared: frozenset[str]) -> Sequence[str]:
    several = len({each.threads for each in found.rows}) > 1
    return (
        escaped(without(row.problem, shared)) if shared else "",
        code(row.implementation) if found.of_runs else "",
        str(row.threads) if several else "",
        milliseconds(row.base_ms),
        milliseconds(row.new_ms),
        escaped(ratio_in(row.ratio, row.low, row.high)),
        row.verdict,
    )


def _difference(row: ComparisonRow) -> float:
    return abs(math.log(row.ratio)) if row.ratio else 0.0
