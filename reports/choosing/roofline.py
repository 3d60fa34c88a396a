"""How near the measured ceilings implementations come: a roofline, and shares of the attainable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reports import words
from reports.analysis import Analysis
from reports.choosing.kinds import shared_facets
from reports.drawing.palette import NOBODY, Look, looks
from reports.drawing.series import Chart, Series
from reports.panels import ATTENTION, panels_of, prefix, subject
from reports.sections import Row, Table, Value, facets
from reports.sessions import median_ceilings
from reports.tables import parsed
from suites.stats.ceilings import Ceiling, work

KEY: Final = "roofline"
_HEAD: Final = ("implementation", "on", "at best", "there", "at worst", "there")
_NOTE: Final = (
    "A point is one problem: its multiplications and additions over its median time, against "
    "those for each byte that has to move at least; in training seven products count for everyone, "
    "also for whoever keeps the scores and needs six. Lines are what this machine was measured to "
    "do, medians over the sessions. A point above a sloped line found its bytes nearer by."
)

Rows = Sequence[dict[str, Any]]


def rooflines(analysis: Analysis) -> list[Chart]:
    """A chart for each panel, device and dtype with ceilings; of the times with most threads."""
    ceilings = median_ceilings(analysis.run)
    style = looks(entry.name for entry in analysis.plan.entries)
    charts = (
        _chart(analysis, kind, rows, ceilings, style) for kind, rows in _kinds(analysis).items()
    )
    return [each for each in charts if each is not None]


def share_tables(analysis: Analysis) -> list[Table]:
    """For each panel, the best and the worst share of the attainable of every implementation."""
    rows: dict[str, list[Row]] = {}
    for (panel, _, _), own in _kinds(analysis).items():
        known = [row for row in own if row["share_of_attainable"] is not None]
        names = dict.fromkeys(row["implementation"] for row in known)
        for name in names:
            rows.setdefault(panel, []).append(
                _row([row for row in known if row["implementation"] == name])
            )
    return [
        Table(
            caption=f"Share of the attainable: {subject(panel)}",
            head=_HEAD,
            rows=tuple(rows[panel]),
        )
        for panel in rows
    ]


def _kinds(analysis: Analysis) -> Mapping[tuple[str, str, str], Rows]:
    """Rows by panel, device and dtype, where the clock went on."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for panel in panels_of(analysis.plan):
        for row in analysis.with_most_threads:
            if row["panel"] == panel and any(_work(row)) and row["median_ms"]:
                found.setdefault((panel, row["device"], row["dtype"]), []).append(row)
    return found


def _chart(
    analysis: Analysis,
    kind: tuple[str, str, str],
    rows: Rows,
    ceilings: Sequence[Ceiling],
    style: Mapping[str, Look],
) -> Chart | None:
    panel, device, dtype = kind
    common = shared_facets(row["problem"] for row in rows)
    here = [e for e in ceilings if e.device == device and e.dtype in ("", dtype) and e.value > 0]
    points = tuple(_points(rows, style, common))
    lines = tuple(_lines(here, [x for each in points for x in each.x]))
    if not lines:
        return None
    whose = "" if panel == ATTENTION else f" of {subject(panel)}"
    title = f"Roofline{whose}"
    return Chart(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=f"{dtype} on {device}",
        common=", ".join(words.labels(analysis.plan)),
        mask="",
        x_title="FLOP per byte",
        y_title="GFLOP/s",
        log_x=True,
        log_y=True,
        series=(*points, *lines),
        note=_NOTE,
        alt=_in_words(title, f"{dtype} on {device}", points),
        facets=common,
        ticks=False,
    )


def _points(rows: Rows, style: Mapping[str, Look], common: Mapping[str, str]) -> Iterator[Series]:
    for name in sorted({row["implementation"] for row in rows}):
        own = [row for row in rows if row["implementation"] == name]
        own.sort(key=_intensity)
        yield Series(
            name=name,
            x=tuple(map(_intensity, own)),
            y=tuple(map(_rate, own)),
            low=(),
            high=(),
            hover=tuple(_hover(name, row) for row in own),
            look=style[name],
            implementation=name,
            drawn="points",
            facets=tuple(_apart(row["problem"], common) for row in own),
        )


def _apart(problem: str, common: Mapping[str, str]) -> dict[str, str]:
    """The facets of a problem that its chart does not have as a whole."""
    return {name: text for name, text in facets(problem).items() if name not in common}


def _lines(ceilings: Sequence[Ceiling], intensities: Sequence[float]) -> Iterator[Series]:
    """Each ceiling: a level for products; for bandwidths a slope up to the highest level."""
    levels = [each.value for each in ceilings if each.kind == "matmul"]
    bandwidths = [each.value for each in ceilings if each.kind != "matmul"]
    if not levels or not bandwidths:
        return
    first = min(*intensities, *(max(levels) / each for each in bandwidths)) / 2
    last = max(*intensities, *(max(levels) / each for each in bandwidths)) * 2
    for each in sorted(ceilings, key=lambda one: (one.kind, one.residency)):
        unit = "GFLOP/s" if each.kind == "matmul" else "GB/s"
        text = f"{each.kind} in {each.residency} {words.three_digits(each.value / 1e9)} {unit}"
        if each.kind == "matmul":
            x, y = (first, last), (each.value / 1e9,) * 2
        else:
            x = (first, max(levels) / each.value)
            y = (first * each.value / 1e9, max(levels) / 1e9)
        yield _line(text, x, y, each)


def _line(text: str, x: tuple[float, float], y: tuple[float, float], ceiling: Ceiling) -> Series:
    """Its grey tells where the data were, its dashes what was done with them."""
    dashes = {"matmul": "solid", "copy": "dash", "read": "dot"}
    look = Look(*NOBODY[ceiling.residency != "cache"], "circle", dashes[ceiling.kind])
    return Series(name=text, x=x, y=y, low=(), high=(), hover=(text, text), look=look, drawn="bare")


def _work(row: Mapping[str, Any]) -> tuple[int, int]:
    """FLOPs and fewest bytes of an answer; none of either where they are not known."""
    return work(parsed(row["problem"]), row["panel"]) or (0, 0)


def _intensity(row: Mapping[str, Any]) -> float:
    flops, least_bytes = _work(row)
    return flops / least_bytes


def _rate(row: Mapping[str, Any]) -> float:
    """GFLOP per second."""
    return _work(row)[0] / float(row["median_ms"]) / 1e6


def _hover(name: str, row: Mapping[str, Any]) -> str:
    share = _share(row)
    lines = (
        words.abbreviated(name),
        row["problem"],
        f"{words.three_digits(_rate(row))} GFLOP/s, {words.milliseconds(row['median_ms'])} ms",
        f"{share} of the attainable" if share.endswith("%") else share,
    )
    return "\n".join(line for line in lines if line)


def _share(row: Mapping[str, Any]) -> str:
    return words.attainable(row["share_of_attainable"], checked_again=row["checked_again"])


def _row(own: Rows) -> Row:
    best = max(own, key=lambda row: float(row["share_of_attainable"]))
    worst = min(own, key=lambda row: float(row["share_of_attainable"]))
    name = best["implementation"]
    return Row(
        cells=(
            Value(words.abbreviated(name)),
            Value(f"{best['dtype']} on {best['device']}"),
            *(
                cell
                for row in (best, worst)
                for cell in (Value(_share(row), row["share_of_attainable"]), Value(row["problem"]))
            ),
        ),
        facets=shared_facets([row["problem"] for row in own], name),
    )


def _in_words(title: str, label: str, points: Sequence[Series]) -> str:
    said = (
        f"{words.abbreviated(each.name)} {words.three_digits(min(each.y))} to "
        f"{words.three_digits(max(each.y))} GFLOP/s"
        for each in points
    )
    return f"{title}; {label}: {'; '.join(said)}."
