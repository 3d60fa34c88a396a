"""Parallel efficiency: what more threads gain, a chart for the longest problem of each kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from reports import words
from reports.drawing.palette import Look
from reports.drawing.series import Chart, Series
from reports.panels import ATTENTION, panels_of, prefix, subject
from reports.sections import facets
from reports.tables import parsed
from suites.records.plan import Plan

MOST_CHARTS: Final = 12
"""Of a panel; those of the first problems in the plan's order."""
KEY: Final = "efficiency_vs_threads"

Rows = Sequence[dict[str, Any]]


def efficiency_charts(
    plan: Plan, rows: Iterable[dict[str, Any]], style: dict[str, Look]
) -> list[Chart]:
    """A chart for each of the longest problems; none where the plan has one number of threads.

    rows   of `measurements`, all numbers of threads
    style  a look for each implementation
    """
    if len(plan.threads) < 2:
        return []
    rows = list(rows)
    return [
        chart
        for panel in panels_of(plan)
        for chart in _of_panel(plan, panel, [row for row in rows if row["panel"] == panel], style)
    ]


def _of_panel(plan: Plan, panel: str, rows: Rows, style: dict[str, Look]) -> list[Chart]:
    lines = _lines(plan, rows, style)
    longest = _longest(problem for problem in plan.problems if problem in lines)
    shared = words.shared_words(longest)
    return [
        _chart(plan, panel, problem, lines[problem], shared) for problem in longest[:MOST_CHARTS]
    ]


def _longest(problems: Iterable[str]) -> list[str]:
    """Of problems that differ in length only, the longest."""
    found: dict[str, str] = {}
    for problem in problems:
        kind = " ".join(word for word in problem.split() if not _is_length(word))
        if kind not in found or _length(problem) > _length(found[kind]):
            found[kind] = problem
    return list(found.values())


def _is_length(word: str) -> bool:
    return word.startswith("t") and word[1:2].isdecimal()


def _length(problem: str) -> int:
    return parsed(problem).key_length


def _lines(plan: Plan, rows: Rows, style: dict[str, Look]) -> dict[str, list[Series]]:
    """The lines of each problem: who has a time with the fewest threads and with more."""
    found: dict[tuple[str, str], dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        if row["median_ms"]:
            found[row["problem"], row["implementation"]][row["threads"]] = row
    lines: dict[str, list[Series]] = defaultdict(list)
    for (problem, name), own in sorted(found.items()):
        if len(own) > 1 and min(plan.threads) in own:
            lines[problem].append(_line(name, own, style[name]))
    return lines


def _line(name: str, own: dict[int, dict[str, Any]], look: Look) -> Series:
    threads = sorted(own)
    work = own[threads[0]]["median_ms"] * threads[0]
    return Series(
        name=name,
        x=tuple(threads),
        y=tuple(work / (own[count]["median_ms"] * count) for count in threads),
        low=(),
        high=(),
        hover=tuple(_hover(name, own[count]) for count in threads),
        look=look,
        implementation=name,
    )


def _hover(name: str, row: dict[str, Any]) -> str:
    median = f"median {words.milliseconds(row['median_ms'])} ms"
    threads = words.counted(row["threads"], "thread")
    return "\n".join((words.abbreviated(name), row["problem"], f"{median} with {threads}"))


def _chart(
    plan: Plan, panel: str, problem: str, series: Sequence[Series], shared: frozenset[str]
) -> Chart:
    common = " ".join(word for word in problem.split() if word in shared)
    label = words.without(problem, shared)
    whose = "" if panel == ATTENTION else f" of {subject(panel)}"
    title = f"Parallel efficiency{whose} against threads"
    return Chart(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(filter(None, [common, *words.labels(plan, threads=False)])),
        mask=str(parsed(problem).mask),
        x_title="threads",
        y_title="parallel efficiency",
        log_x=False,
        log_y=False,
        series=tuple(series),
        note=_note(min(plan.threads)),
        alt=_in_words(title, label, series),
        facets=facets(problem),
    )


def _note(fewest: int) -> str:
    return (
        f"1 means that n times the threads take an nth of the time; below 1, part of them is "
        f"wasted. A point is t({fewest}) x {fewest} / (t(n) x n), of medians of session "
        "medians; the numbers of threads were measured in sessions of their own, so that no "
        "interval is drawn."
    )


def _in_words(title: str, label: str, series: Iterable[Series]) -> str:
    ends = (
        f"{words.abbreviated(each.name)} {words.three_digits(each.y[-1])} with {each.x[-1]:g}"
        for each in series
    )
    return f"{title}; {label}: {'; '.join(ends)}."
