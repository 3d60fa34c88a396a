"""Maps of the fastest implementation over lengths and heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reports import words
from reports.analysis import Analysis
from reports.choosing.fastest import Ranking, Rival, ranking
from reports.choosing.kinds import in_words, shared_facets, without_sizes
from reports.choosing.ratios import Place, Ratios
from reports.drawing.palette import looks
from reports.drawing.series import Map, Tile
from reports.judging.verdict_words import ratio_in
from reports.panels import APPROXIMATIONS, ATTENTION, panels_of, prefix, subject
from reports.tables import parsed

KEY: Final = "fastest_by_length_and_heads"
_NOTE: Final = (
    "A tile is one problem, coloured by the fastest of those that agree there: the least median, "
    "unless ratios paired within sessions tell another to be faster. It is undecided where the "
    "ratio of another's time to it has a 95 % interval that holds 1, with a single session, and "
    "where another was not reached: nobody knows that it is slower."
)


def rankings(analysis: Analysis, ratios: Mapping[Place, Ratios]) -> dict[Place, Ranking]:
    """Who is fastest on every problem, for each panel that is ranked; not the approximations."""
    rows: dict[Place, dict[str, dict[str, Any]]] = {}
    for row in analysis.measurements:
        place = (row["problem"], row["threads"], row["panel"])
        rows.setdefault(place, {})[row["implementation"]] = row
    able = _able(analysis)
    return {
        place: found
        for place, own in ratios.items()
        if place[2] != APPROXIMATIONS
        and (found := ranking(own, rows.get(place, {}), able.get((place[0], place[2]), ())))
    }


def _able(analysis: Analysis) -> dict[tuple[str, str], list[str]]:
    """By problem and panel those that agree, or that the run has not come to."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in analysis.outcomes:
        if row["status"] in ("ok", words.UNREACHED):
            found.setdefault((row["problem"], row["panel"]), []).append(row["implementation"])
    return found


def maps(analysis: Analysis, ranked: Mapping[Place, Ranking]) -> list[Map]:
    """A map for each kind of problem with two tiles or more, and two implementations on one.

    With several numbers of threads, of the times with the most.
    """
    most = max(analysis.plan.threads)
    return [
        each
        for panel in panels_of(analysis.plan)
        for each in _of_panel(
            analysis,
            panel,
            {
                problem: found
                for (problem, threads, own), found in ranked.items()
                if own == panel and threads == most
            },
        )
    ]


def _of_panel(analysis: Analysis, panel: str, ranked: Mapping[str, Ranking]) -> Iterator[Map]:
    kinds: dict[tuple[str, ...], dict[str, Ranking]] = {}
    for problem, found in ranked.items():
        kinds.setdefault(without_sizes(problem), {})[problem] = found
    worth = {
        kind: own
        for kind, own in kinds.items()
        if len(own) > 1 and any(each.rivals for each in own.values())
    }
    shared = words.shared_words(in_words(kind).replace(",", "") for kind in worth)
    for kind, own in worth.items():
        yield _map(analysis, panel, words.without(in_words(kind), shared), own)


def _map(analysis: Analysis, panel: str, label: str, own: Mapping[str, Ranking]) -> Map:
    tiles = tuple(_tile(problem, found) for problem, found in own.items())
    whose = "" if panel == ATTENTION else f" of {subject(panel)}"
    title = f"The fastest{whose} by length and heads"
    style = looks(entry.name for entry in analysis.plan.entries)
    return Map(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(words.labels(analysis.plan)),
        mask=str(parsed(next(iter(own))).mask),
        x_title="sequence length (tokens)",
        y_title="query heads",
        tiles=tiles,
        looks={name: style[name] for name in sorted({tile.name for tile in tiles})},
        note=_NOTE,
        alt=f"{title}; {label}: {'; '.join(map(_in_words, tiles))}.",
        facets=shared_facets(own),
    )


def _tile(problem: str, found: Ranking) -> Tile:
    size = parsed(problem)
    return Tile(
        x=size.key_length,
        y=size.query_heads,
        name=found.name,
        undecided=not found.decided,
        hover="\n".join((problem, *_hover(found))),
    )


def _hover(found: Ranking) -> Iterator[str]:
    yield f"{words.abbreviated(found.name)} {words.milliseconds(found.median_ms)} ms"
    if not found.rivals:
        yield "no other was measured"
    for each in found.rivals[:3]:
        yield f"{words.abbreviated(each.name)} {_beside(each)}"
    if found.not_reached:
        yield f"not reached: {', '.join(map(words.abbreviated, found.not_reached))}"


def _beside(rival: Rival) -> str:
    if rival.ratio is None:
        return f"{words.milliseconds(rival.median_ms)} ms, in other sessions"
    ends = (rival.interval.low, rival.interval.high) if rival.interval else (None, None)
    apart = "" if rival.apart else ", not told apart"
    return f"takes {ratio_in(rival.ratio, *ends)} times as long{apart}"


def _in_words(tile: Tile) -> str:
    name = words.abbreviated(tile.name)
    unsure = ", undecided" if tile.undecided else ""
    return f"{name}{unsure} at {tile.x:g} with {words.counted(round(tile.y), 'head')}"
