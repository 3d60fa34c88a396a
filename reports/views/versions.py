"""The meaning of the names of a run, and the commits of its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path, PurePath

from impls import FOLDER
from reports.analysis.comparison import Comparison
from reports.rows.panels import names_of
from reports.views.text import abbreviated
from suites.records.plan import Entry, Plan


def sentences(plan: Plan, *, panel: str | None = None) -> list[str]:
    """A line for each name of the run and each file with a commit; None: of all panels."""
    own = None if panel is None else names_of(plan, panel)
    entries = [entry for entry in plan.entries if own is None or entry.name in own]
    return [*_stand_for(entries), *_same_bytes(entries)]


def of_comparison(found: Comparison) -> list[str]:
    """The same of the two sides."""
    both = [entry for entry in found.plan.entries if entry.name in (found.base, found.new)]
    return [*_stand_for(both), *_same_bytes(both)]


def stands_for(entry: Entry) -> str:
    """`attention of k.py at a1b2c3d`; what the name of an entry means. Empty for the plain name."""
    files = [file for file in entry.files.values() if Path(file).parent != FOLDER]
    if not (entry.spec or entry.revision) or not files:
        return entry.spec
    place = str(entry.revision or PurePath(files[0]).name)
    return f"{entry.defined.rpartition('.')[2]} of {place}"


def _stand_for(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        meaning = stands_for(entry) or (entry.name if entry.python else "")
        by = f", measured by {entry.environment} ({entry.python})" if entry.python else ""
        if meaning:
            yield f"{abbreviated(entry.name)} = {abbreviated(meaning)}{abbreviated(by)}"


def _same_bytes(entries: Iterable[Entry]) -> Iterator[str]:
    """A sentence for each two names of two files with the same content."""
    versions = [entry for entry in entries if entry.revision]
    for one, other in combinations(versions, 2):
        apart = set(one.files.values()) != set(other.files.values())
        if apart and sorted(one.hashes.values()) == sorted(other.hashes.values()):
            names = f"{abbreviated(one.name)} and {abbreviated(other.name)}"
            imports = "; the files that they import may differ" * bool(one.process or other.process)
            yield f"{names} are the same bytes{imports}."
