"""What has no time and why: each reason once, with how many problems it holds for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from reports import words
from reports.analysis import Analysis
from reports.printing.layout import MOST, state, table
from suites.records.record import ANSWERS

_HARD: Final = r"on a hard input \([^()]*\)"
_WHERE: Final = re.compile(rf"^({_HARD}), | \(({_HARD})\)$")
"""Where a check found a fault that has no part in what the fault is."""


def reasons(analysis: Analysis) -> list[RenderableType]:
    """One row per implementation, status and reason; a fault with the first problem it fell on."""
    rows = list(_together(analysis.not_measured))
    if not rows:
        return []
    made = table("Not measured" if analysis.plan.sessions else "Without agreement")
    made.add_column("implementation", no_wrap=True)
    made.add_column("")
    made.add_column("problems", justify="right")
    made.add_column("reason", overflow="fold")
    for row in rows:
        made.add_row(
            Text(words.abbreviated(row["implementation"], MOST)),
            state(row["status"]),
            str(row["count"]),
            Text(_told(row)),
        )
    return [made]


def _together(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows that differ only in the hard input on which a fault was found as one, in order."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        reason = _WHERE.sub("", row["reason"])
        key = (row["implementation"], row["status"], reason)
        if key in found:
            found[key]["count"] += row["count"]
        else:
            found[key] = {**row, "reason": reason, "first": _first(row)}
    yield from found.values()


def _first(row: dict[str, Any]) -> str:
    """Where a fault was found first; empty for what is no fault, whose reason is of any problem."""
    if row["status"] in ANSWERS or row["status"] == words.UNREACHED:
        return ""
    where = _WHERE.search(row["reason"])
    place = f"on {row['problems'][0]}"
    return f"{place}, {where[1] or where[2]}" if where else place


def _told(row: dict[str, Any]) -> str:
    """The reason, and where it was met first: an address that stays where the text is cut."""
    if not row["first"]:
        return words.abbreviated(row["reason"], words.LONGEST_TEXT)
    most = words.LONGEST_TEXT // 3
    place = words.abbreviated(("first " if row["count"] > 1 else "") + row["first"], most)
    return f"{words.abbreviated(row['reason'], 2 * most - 2)}; {place}"
