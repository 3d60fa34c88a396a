"""Time against memory on the largest problems, with the Pareto frontier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.ranking.frontier import frontier, largest
from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.views.cases import labelled, labels_of, place
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import Look, looks_of
from reports.views.commands import labels, repeat_command, setting_options
from reports.views.numbers import mebibytes, milliseconds, share, three_digits
from reports.views.panels import of_panel, prefix, subject
from reports.views.problems import common_words, facets, shared_words, without
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated
from suites.records.plan import Plan

ORDER: Final = 4
KEY: Final = "time_vs_memory"
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
    "the inputs. An implementation is on the frontier if no other one is at least as fast and as "
    "small, and better in one of the two. Medians are compared without intervals, so neighbours "
    "on the frontier may be equal."
)

Rows = Sequence[Measurement]


def section(analysis: Analysis) -> Section:
    """Time against memory, and a table with errors."""
    return Section(
        id="tradeoff",
        heading="Time, memory and error",
        charts=tuple(tradeoff_charts(analysis)),
        tables=tuple(tradeoff_tables(analysis)),
    )


def tradeoff_charts(analysis: Analysis) -> list[Chart]:
    """A chart for each of the largest problems of a mask with two points or more."""
    style = looks_of(analysis.plan)
    return [
        _chart(analysis.plan, panel, problem, shared, rows, style)
        for panel, found in largest(analysis).items()
        for shared in [shared_words(found)]
        for problem, rows in found.items()
    ]


def tradeoff_tables(analysis: Analysis) -> list[Table]:
    """The same for each panel as a table, with errors."""
    return [
        Table(
            caption=f"Time, memory and error on the largest problems: {subject(panel)}",
            head=_HEAD,
            rows=tuple(
                _row(row, _command(analysis, row), on_it)
                for rows in found.values()
                for row, on_it in zip(rows, frontier(rows), strict=True)
            ),
        )
        for panel, found in largest(analysis).items()
    ]


def _command(analysis: Analysis, row: Measurement) -> str:
    """The command that repeats a measurement."""
    plan = analysis.plan
    entry = next(each for each in plan.entries if each.name == row.implementation)
    command = repeat_command(row.problem, entry, plan.inputs_of(row.problem))
    return command + setting_options(plan, analysis.most_threads)


def _chart(
    plan: Plan,
    panel: str,
    problem: Problem,
    shared: frozenset[str],
    rows: Rows,
    style: Mapping[str, Look],
) -> Chart:
    marked = list(zip(rows, frontier(rows), strict=True))
    points = [_point(row, style[row.implementation], on_it=on_it) for row, on_it in marked]
    best = [point for point, (_, on_it) in zip(points, marked, strict=True) if on_it]
    title, label = f"Time against memory{of_panel(panel)}", without(problem, shared)
    label = labelled(problem, label, labels_of(plan))
    return Chart(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(filter(None, [common_words(problem, shared), *labels(plan)])),
        mask=str(problem.mask),
        x_title="MiB above the inputs",
        y_title="ms",
        log_x=all(each.x[0] > 0 for each in points),
        log_y=True,
        series=(*points, *_line(best)),
        note=_NOTE,
        alt=_alt(title, label, points, [each.name for each in best]),
        facets=facets(problem),
        ticks=False,
    )


def _point(row: Measurement, look: Look, *, on_it: bool) -> Series:
    return Series(
        name=row.implementation,
        x=((row.peak_bytes or 0) / 2**20,),
        y=(row.median_ms,),
        low=(),
        high=(),
        hover=(_hover(row, on_it=on_it),),
        look=look,
        implementation=row.implementation,
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


def _hover(row: Measurement, *, on_it: bool) -> str:
    error, used = _error(row.evidence.relative_error), share(row.evidence.share)
    lines = (
        abbreviated(row.implementation),
        place(row),
        f"median {milliseconds(row.median_ms)} ms",
        f"peak {mebibytes(row.peak_bytes)} MiB above the inputs",
        f"relative error {error}" if error else "",
        f"{used} of the bound on errors" if used else "",
        "on the frontier" if on_it else "another is as fast and as small, and better in one",
    )
    return "\n".join(line for line in lines if line)


def _row(row: Measurement, command: str, on_it: bool) -> Row:  # noqa: FBT001 - one of a row's values
    found = row.evidence
    return Row(
        cells=(
            Value(place(row)),
            Value(abbreviated(row.implementation)),
            Value(milliseconds(row.median_ms), row.median_ms),
            Value(mebibytes(row.peak_bytes), row.peak_bytes),
            Value("yes" if on_it else "", float(on_it)),
            Value(_error(found.relative_error), found.relative_error),
            Value(share(found.share), found.share),
        ),
        facets=facets(row.problem, row.implementation),
        command=command,
    )


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _alt(title: str, label: str, points: Iterable[Series], best: Iterable[str]) -> str:
    """The chart in words."""
    said = (
        f"{abbreviated(each.name)} {three_digits(each.y[0])} ms with {three_digits(each.x[0])} MiB"
        for each in points
    )
    names = ", ".join(map(abbreviated, best))
    return f"{title}; {label}: {'; '.join(said)}; on the frontier: {names}."
