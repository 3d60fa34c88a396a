"""Write a page and its charts into a folder, in place of those of an earlier report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reports.outputs.folder import unwritable
from reports.outputs.html.contents import Drawn
from reports.outputs.png.formats import DEFAULT, FORMATS, Format

NAME: Final = "report.html"


@dataclass(frozen=True, slots=True)
class Report:
    """The files of a report: the page, and the charts in the order of the page."""

    page: Path
    charts: tuple[Path, ...]


def saved(  # noqa: PLR0913 - a page, its charts, and which files of others stay
    html: str,
    every: Drawn,
    folder: Path,
    stamp: str,
    left_over: Sequence[str] = (),
    *,
    formats: Sequence[Format] = DEFAULT,
    name: str = NAME,
    keep: Sequence[Path] = (),
    further: Sequence[tuple[Drawn, str]] = (),
) -> Report:
    """Write a page and its charts into a folder; an icicle has no file.

    stamp      machine, date and versions, for the foot of each chart file
    left_over  keys of charts whose files are removed, besides earlier charts by this program
    name       of the page
    keep       charts of another page in the folder, which stay
    further    more charts of the page, each list with a stamp of its own

    Raises ValueError with one sentence when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _left_over(left_over, folder):
            if path not in keep:
                path.unlink(missing_ok=True)
        path = folder / name
        path.write_text(html, "utf-8")
        charts = [
            file
            for own, whose in ((every, stamp), *further)
            if own
            for file in _drawn(own, folder, whose, formats)
        ]
        return Report(path, tuple(charts))
    except OSError as error:
        raise unwritable(folder, error) from error


def _drawn(own: Drawn, folder: Path, stamp: str, formats: Sequence[Format]) -> list[Path]:
    from reports.outputs.png import files  # noqa: PLC0415 - a page without charts needs no matplotlib

    return files.draw(own, folder, stamp=stamp, formats=formats)


def _left_over(own: Sequence[str], folder: Path) -> list[Path]:
    """Charts of an earlier report: those of these keys, and other charts by this program."""
    from reports.outputs.png.files import is_ours  # noqa: PLC0415 - a page alone needs no matplotlib

    named = [folder / f"{key}.png" for key in own]
    others = [path for kind in FORMATS for path in folder.glob(f"*.{kind}")]
    return [*named, *filter(is_ours, others)]
