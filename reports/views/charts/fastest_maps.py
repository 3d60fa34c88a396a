"""Maps of the fastest implementation over lengths and heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from impls.interface import Problem
from reports.analysis.ranking.ranking import Ranking, Rival
from reports.analysis.ranking.ratios import Place
from reports.analysis.run_analysis import Analysis
from reports.rows.families import Kind, without_sizes
from reports.rows.panels import panels_of
from reports.views.cases import Labels, labelled, labels_of
from reports.views.charts.chart import Map, Tile
from reports.views.charts.palette import looks_of
from reports.views.commands import labels
from reports.views.numbers import milliseconds, ratio_in, times
from reports.views.panels import of_panel, prefix
from reports.views.problems import common_facets, kind_parts
from reports.views.text import abbreviated, counted

KEY: Final = "fastest_by_length_and_heads"
_NOTE: Final = (
    "A tile is one problem, coloured by its fastest implementation: the least median, unless "
    "ratios paired within sessions show another to be faster. It is undecided where the verdict "
    "on another one is not slower (its interval contains 1, or the difference is within the noise "
    "floor), with a single session, and where another was not reached and may be faster."
)


def maps(analysis: Analysis, ranked: Mapping[Place, Ranking]) -> list[Map]:
    """A map for each kind of problem with two tiles or more, and two implementations on one.

    With several numbers of threads, of the times with the most.
    """
    return [
        each
        for panel in panels_of(analysis.plan)
        for each in _of_panel(
            analysis,
            panel,
            {
                problem: found
                for (problem, threads, own), found in ranked.items()
                if own == panel and threads == analysis.most_threads
            },
        )
    ]


def _of_panel(analysis: Analysis, panel: str, ranked: Mapping[Problem, Ranking]) -> Iterator[Map]:
    kinds: dict[Kind, dict[Problem, Ranking]] = {}
    for problem, found in ranked.items():
        kinds.setdefault(without_sizes(problem), {})[problem] = found
    worth = [
        own for own in kinds.values() if len(own) > 1 and any(each.rivals for each in own.values())
    ]
    names = [kind_parts(next(iter(own))) for own in worth]
    shared = set.intersection(*map(set, names)) if len(names) > 1 else set[str]()
    for name, own in zip(names, worth, strict=True):
        label = ", ".join(word for word in name if word not in shared)
        yield _map(analysis, panel, label or ", ".join(name), own)


def _map(analysis: Analysis, panel: str, label: str, own: Mapping[Problem, Ranking]) -> Map:
    named = labels_of(analysis.plan)
    tiles = tuple(_tile(problem, found, named) for problem, found in own.items())
    title = f"The fastest{of_panel(panel)} by length and heads"
    style = looks_of(analysis.plan)
    return Map(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(labels(analysis.plan)),
        mask=str(next(iter(own)).mask),
        x_title="sequence length (tokens)",
        y_title="query heads",
        tiles=tiles,
        looks={name: style[name] for name in sorted({tile.name for tile in tiles})},
        note=_NOTE,
        alt=f"{title}; {label}: {'; '.join(map(_alt, tiles))}.",
        facets=common_facets(own),
    )


def _tile(problem: Problem, found: Ranking, named: Labels) -> Tile:
    return Tile(
        x=problem.key_length,
        y=problem.query_heads,
        name=found.name,
        undecided=not found.decided,
        hover="\n".join((labelled(problem, str(problem), named), *_hover(found))),
        lead=_lead(found),
    )


def _lead(found: Ranking) -> str:
    """The least ratio of another to the fastest, next 1.90x; undecided, those that may be it."""
    if not found.decided:
        others = [each.name for each in found.alternatives] + list(found.not_reached)
        return f"or {abbreviated(others[0])}" if len(others) == 1 else f"or {len(others)} others"
    ratios = [each.ratio for each in found.rivals if each.ratio is not None]
    return f"next {times(min(ratios))}" if ratios else ""


def _hover(found: Ranking) -> Iterator[str]:
    yield f"{abbreviated(found.name)} {milliseconds(found.median_ms)} ms"
    if not found.rivals:
        yield "no other was measured"
    for each in found.rivals[:3]:
        yield f"{abbreviated(each.name)} {_beside(each)}"
    if found.not_reached:
        yield f"not reached: {', '.join(map(abbreviated, found.not_reached))}"


def _beside(rival: Rival) -> str:
    if rival.ratio is None:
        return f"{milliseconds(rival.median_ms)} ms, in other sessions"
    ends = (rival.interval.low, rival.interval.high) if rival.interval else (None, None)
    open_ = "" if rival.is_slower else ", not distinguished"
    return f"takes {ratio_in(rival.ratio, *ends)} times as long{open_}"


def _alt(tile: Tile) -> str:
    """A tile in words."""
    unsure = ", undecided" if tile.undecided else ""
    heads = counted(round(tile.y), "head")
    return f"{abbreviated(tile.name)}{unsure} at {tile.x:g} with {heads}"
