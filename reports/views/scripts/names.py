"""Names of a script, its lines, its problems and the functions that it calls."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence

from reports.analysis.call_sites import Calls, CallSite, CallSites
from suites.recording.command import script_of


def title(found: CallSites) -> str:
    """As "Attention in train.py"."""
    return f"Attention in {script_of(shlex.split(found.found.workload.header.command))}"


def labels(sites: Sequence[CallSite]) -> dict[str, str]:
    """A short name of each line, by its place; with the library's line where two are alike."""
    plain = Counter(_base(site.script) for site in sites)
    with_library = Counter(short(site.place) for site in sites)
    found = {}
    for site in sites:
        name = _base(site.script)
        if plain[name] > 1:
            name = short(site.place) if with_library[short(site.place)] == 1 else site.place
        found[site.place] = name
    return found


def short(place: str) -> str:
    """A place without folders: "model.py:12 forward < train.py:31 step"."""
    return " < ".join(map(_base, place.split(" < ")))


def problem(calls: Calls) -> str:
    """The problem; or what the grammar cannot express, with the shapes of q, k and v."""
    if calls.problem:
        return calls.problem
    shapes = " ".join("x".join(map(str, shape)) for shape in dict.fromkeys(calls.shapes))
    return f"{calls.reason}; {shapes}" if shapes else calls.reason


def problems(site: CallSite) -> str:
    """The problem; of several, their range where they differ in one word, else the heaviest."""
    every = list(dict.fromkeys(map(problem, site.calls)))
    if len(every) == 1:
        return every[0]
    return _range(every) or f"{every[0]} and {len(every) - 1} more"


def _range(every: Sequence[str]) -> str:
    """Problems that differ in one word: "b1 h4 t1/33 to t1/52 d16"; empty for others."""
    words = [each.split() for each in every]
    if len({len(own) for own in words}) > 1:
        return ""
    columns = list(zip(*words, strict=True))
    if sum(len(set(column)) > 1 for column in columns) != 1:
        return ""
    return " ".join(
        " to ".join(dict.fromkeys((min(column, key=_size), max(column, key=_size))))
        for column in columns
    )


def _size(word: str) -> list[tuple[bool, int | str]]:
    """A key that sorts the numbers in a word by value."""
    parts = re.split(r"(\d+)", word)
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in parts]


def functions(found: CallSites) -> list[str]:
    """Every function of attention that the script calls, that of the most time first."""
    return list(dict.fromkeys(each.by for each in found.calls))


def _base(line: str) -> str:
    """A line without its folder."""
    return line.rpartition("/")[2]
