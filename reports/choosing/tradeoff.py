"""Time against memory on the largest problems, and whom nobody beats in both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from reports import words
from reports.analysis import Analysis
from reports.drawing.palette import Look, looks
from reports.drawing.series import Chart, Series
from reports.panels import ATTENTION, panels_of, prefix, subject
from reports.sections import Row, Table, Value, facets
from reports.tables import parsed
from suites.records.plan import Plan

KEY: Final = "time_vs_memory"
MOST_OF_A_MASK: Final = 2
MOST_CHARTS: Final = 12
"""Of a panel; those of the first masks in the plan's order."""
_HEAD: Final = (
    "problem",
    "implementation",
    "ms",
    "MiB above the inputs",
    "frontier",
    "relative error",
    "share of the bound",
)
_NOTE: Final = (
    "A point is the median of the session medians against the peak of the bytes requested above "
    "the inputs. On the frontier is whoever no other one beats: none is as fast and as small, and "
    "better in one of the two. Times are held against each other by their medians, so that "
    "neighbours on it may be equal in truth."
)

Rows = Sequence[dict[str, Any]]


def tradeoff_charts(analysis: Analysis) -> list[Chart]:
    """A chart for each of the largest problems of a mask that two or more have both figures on."""
    style = looks(entry.name for entry in analysis.plan.entries)
    return [
        _chart(analysis.plan, panel, (problem, words.without(problem, shared)), rows, style)
        for panel, found in _largest(analysis).items()
        for shared in [words.shared_words(found)]
        for problem, rows in found.items()
    ]


def tradeoff_tables(analysis: Analysis) -> list[Table]:
    """The same for each panel as a table, with errors."""
    entries = {entry.name: entry for entry in analysis.plan.entries}
    settings = words.setting_options(analysis.plan, max(analysis.plan.threads))
    return [
        Table(
            caption=f"Time, memory and error on the largest problems: {subject(panel)}",
            head=_HEAD,
            rows=tuple(
                _row(
                    row,
                    words.repeat_command(problem, entries[row["implementation"]]) + settings,
                    on_it=on_it,
                )
                for problem, rows in found.items()
                for row, on_it in zip(rows, frontier(rows), strict=True)
            ),
        )
        for panel, found in _largest(analysis).items()
    ]


def frontier(rows: Rows) -> list[bool]:
    """Of each row whether no other has neither more time nor more bytes, and less of one."""
    points = [(row["median_ms"], row["peak_bytes"]) for row in rows]
    return [
        not any(other != own and other[0] <= own[0] and other[1] <= own[1] for other in points)
        for own in points
    ]


def _largest(analysis: Analysis) -> dict[str, dict[str, Rows]]:
    """By panel the largest problems with their rows, by time."""
    found: dict[str, dict[str, Rows]] = {}
    for panel in panels_of(analysis.plan):
        by_problem: dict[str, list[dict[str, Any]]] = {}
        for row in analysis.with_most_threads:
            if row["panel"] == panel and row["median_ms"] and row["peak_bytes"] is not None:
                by_problem.setdefault(row["problem"], []).append(row)
        chosen = _chosen(problem for problem, rows in by_problem.items() if len(rows) > 1)
        if chosen:
            found[panel] = {
                problem: sorted(by_problem[problem], key=lambda row: float(row["median_ms"]))
                for problem in chosen
            }
    return found


def _chosen(problems: Iterable[str]) -> list[str]:
    by_mask: dict[str, list[str]] = {}
    for problem in problems:
        by_mask.setdefault(str(parsed(problem).mask), []).append(problem)
    largest = [
        sorted(own, key=lambda problem: -parsed(problem).flops)[:MOST_OF_A_MASK]
        for own in by_mask.values()
    ]
    return [problem for own in largest for problem in own][:MOST_CHARTS]


def _chart(
    plan: Plan, panel: str, named: tuple[str, str], rows: Rows, style: Mapping[str, Look]
) -> Chart:
    problem, label = named
    marked = list(zip(rows, frontier(rows), strict=True))
    points = [_point(row, style[row["implementation"]], on_it=on_it) for row, on_it in marked]
    best = [point for point, (_, on_it) in zip(points, marked, strict=True) if on_it]
    series = (*points, *_line(best))
    whose = "" if panel == ATTENTION else f" of {subject(panel)}"
    title = f"Time against memory{whose}"
    common = " ".join(word for word in problem.split() if word not in label.split())
    return Chart(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(filter(None, [common, *words.labels(plan)])),
        mask=str(parsed(problem).mask),
        x_title="MiB above the inputs",
        y_title="ms",
        log_x=all(each.x[0] > 0 for each in points),
        log_y=True,
        series=series,
        note=_NOTE,
        alt=_in_words(title, label, points, [each.name for each in best]),
        facets=facets(problem),
        ticks=False,
    )


def _point(row: Mapping[str, Any], look: Look, *, on_it: bool) -> Series:
    name = row["implementation"]
    return Series(
        name=name,
        x=(row["peak_bytes"] / 2**20,),
        y=(float(row["median_ms"]),),
        low=(),
        high=(),
        hover=(_hover(row, on_it=on_it),),
        look=look,
        implementation=name,
        drawn="points",
    )


def _line(best: Sequence[Series]) -> Iterator[Series]:
    """The frontier, where it has more than one point."""
    if len(best) > 1:
        ordered = sorted(best, key=lambda each: each.x)
        yield Series(
            name="frontier",
            x=tuple(each.x[0] for each in ordered),
            y=tuple(each.y[0] for each in ordered),
            low=(),
            high=(),
            hover=("",) * len(ordered),
            look=Look("#626b77", "#c6cdd6", "circle", "dot"),
            drawn="bare",
        )


def _hover(row: Mapping[str, Any], *, on_it: bool) -> str:
    error, share = _error(row["relative_error"]), words.share(row["share_of_bound"])
    lines = (
        words.abbreviated(row["implementation"]),
        row["problem"],
        f"median {words.milliseconds(row['median_ms'])} ms",
        f"peak {words.mebibytes(row['peak_bytes'])} MiB above the inputs",
        f"relative error {error}" if error else "",
        f"{share} of the bound on errors" if share else "",
        "on the frontier" if on_it else "another is as fast and as small, and better in one",
    )
    return "\n".join(line for line in lines if line)


def _row(row: Mapping[str, Any], command: str, *, on_it: bool) -> Row:
    name, problem = row["implementation"], row["problem"]
    return Row(
        cells=(
            Value(problem),
            Value(words.abbreviated(name)),
            Value(words.milliseconds(row["median_ms"]), float(row["median_ms"])),
            Value(words.mebibytes(row["peak_bytes"]), float(row["peak_bytes"])),
            Value("yes" if on_it else "", float(on_it)),
            Value(_error(row["relative_error"]), row["relative_error"]),
            Value(words.share(row["share_of_bound"]), row["share_of_bound"]),
        ),
        facets=facets(problem, name),
        command=command,
    )


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _in_words(title: str, label: str, points: Iterable[Series], best: Iterable[str]) -> str:
    said = (
        f"{words.abbreviated(each.name)} {words.three_digits(each.y[0])} ms with "
        f"{words.three_digits(each.x[0])} MiB"
        for each in points
    )
    names = ", ".join(map(words.abbreviated, best))
    return f"{title}; {label}: {'; '.join(said)}; on the frontier: {names}."
