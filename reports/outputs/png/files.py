"""Charts as image files: one for up to six charts of a family, more for the rest of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context

from reports.outputs.png.figure import figure
from reports.outputs.png.formats import DEFAULT, FORMATS, Format
from reports.outputs.png.sheet import MOST_ON_ONE, columns_of
from reports.views.charts.chart import Icicle, Map, Shown
from reports.views.charts.heat import Heat

Charts = Sequence[Shown]

MOST_OF_FAMILY: Final = 24
"""Charts of one family that are drawn; the page has more."""
_WORTH_A_PROCESS: Final = 16
"""Charts for each process; fewer are drawn before another process has started."""
_STARTING: Final = 8
"""Charts that one process draws while another starts."""
DOTS: Final = 120
"""Dots per inch: a slide of 1600 by 900."""
_OURS: Final = "attnbench"
"""The software named in the metadata of a file."""
_SAVED: Final[Mapping[Format, Mapping[str, Any]]] = {
    "png": {"metadata": {"Software": _OURS}, "pil_kwargs": {"compress_level": 3}},
    "svg": {"metadata": {"Creator": _OURS, "Date": None}},
    "pdf": {"metadata": {"Creator": _OURS, "CreationDate": None}},
}
"""How each format is written: with this program's name, and without a time of day."""
_NAMED: Final[Mapping[Format, str]] = {
    "png": f"Software\0{_OURS}",
    "svg": f"<dc:title>{_OURS}</dc:title>",
    "pdf": f"/Creator ({_OURS})",
}
"""The name of this program in the bytes of a file."""
_READABLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": _OURS,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
"""Text stays text, and the same chart makes the same bytes."""


@dataclass(frozen=True, slots=True)
class Part:
    """The charts of one figure, and which part of its family they are; empty for all of it."""

    charts: Charts
    words: str = ""


def draw(
    charts: Iterable[Shown],
    folder: Path,
    *,
    stamp: str = "",
    formats: Sequence[Format] = DEFAULT,
) -> list[Path]:
    """Write the files of every family into an existing folder; their paths, in chart order.

    stamp    machine, date and versions, at the foot of each
    formats  of each figure

    Many charts are distributed over processes: drawing takes most of the time of a large report. A
    script that calls this needs `if __name__ == "__main__":`, because the processes import it.
    """
    figures = {folder / name: part for name, part in _figures(charts)}
    write = partial(_write_all, stamp=stamp, formats=tuple(formats))
    own, *others = _shares(figures)
    if others:
        with ProcessPoolExecutor(len(others), mp_context=get_context("spawn")) as pool:
            shares = ({path: _bare(figures[path]) for path in share} for share in others)
            theirs = [pool.submit(write, share) for share in shares]
            write({path: figures[path] for path in own})
            for each in theirs:
                each.result()
    else:
        write(figures)
    return [_named(path, kind) for path in figures for kind in formats]


def _figures(charts: Iterable[Shown]) -> Iterator[tuple[str, Part]]:
    """Names and charts of all figures: time_vs_length, time_vs_length_2, ..."""
    families: dict[str, list[Shown]] = {}
    for chart in charts:
        families.setdefault(chart.key, []).append(chart)
    for key, family in families.items():
        for number, part in enumerate(parts(family), 1):
            yield key if number == 1 else f"{key}_{number}", part


def parts(family: Charts) -> list[Part]:
    """The figures of a family: full rows, where its masks fill them."""
    shown = family[:MOST_OF_FAMILY]
    columns = columns_of(shown)
    each = 2 * columns if columns > 1 else MOST_ON_ONE
    found = [shown[first : first + each] for first in range(0, len(shown), each)]
    cut = "" if len(shown) == len(family) else f"; the page has {len(family)} charts"
    return [
        Part(own, f" ({number} of {len(found)}{cut})" if len(found) > 1 else "")
        for number, own in enumerate(found, 1)
    ]


def _shares(figures: Mapping[Path, Part]) -> list[list[Path]]:
    """The files of each process, this one first; as many processes as charts and cores allow."""
    sizes = {path: len(part.charts) for path, part in figures.items()}
    count = max(1, min(os.cpu_count() or 1, len(sizes), sum(sizes.values()) // _WORTH_A_PROCESS))
    shares: list[list[Path]] = [[] for _ in range(count)]
    charts = [0, *[_STARTING] * (count - 1)]
    for path in sorted(sizes, key=sizes.__getitem__, reverse=True):
        least = charts.index(min(charts))
        shares[least].append(path)
        charts[least] += sizes[path]
    return shares


def _bare(part: Part) -> Part:
    """Without what only the page shows, so that less is sent to another process."""
    return replace(part, charts=list(map(_bare_chart, part.charts)))


def _bare_chart(chart: Shown) -> Shown:
    if isinstance(chart, Map):
        tiles = tuple(replace(tile, hover="") for tile in chart.tiles)
        return replace(chart, tiles=tiles, facets={})
    if isinstance(chart, Icicle):
        blocks = tuple(replace(block, hover="") for block in chart.blocks)
        return replace(chart, blocks=blocks, facets={})
    if isinstance(chart, Heat):
        return chart
    series = tuple(replace(each, hover=(), facets=()) for each in chart.series)
    return replace(chart, series=series, facets={})


def _write_all(figures: Mapping[Path, Part], *, stamp: str, formats: Sequence[Format]) -> None:
    with rc_context(_READABLE):
        for path, part in figures.items():
            drawn = figure(part.charts, part=part.words, stamp=stamp)
            for kind in formats:
                drawn.savefig(_named(path, kind), dpi=DOTS, facecolor="white", **_SAVED[kind])


def _named(path: Path, kind: Format) -> Path:
    """The file of a figure; a name may have dots."""
    return path.with_name(f"{path.name}.{kind}")


def is_ours(path: Path) -> bool:
    """Whether the metadata of an image file names this program."""
    kind = next((each for each in FORMATS if path.suffix == f".{each}"), None)
    return kind is not None and _NAMED[kind].encode() in path.read_bytes()
