"""The files beside a profile's page, with what opens them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from reports.analysis.profile.profiled_run import ProfiledRun
from suites.records.profile import Profile

DATA: Final = "profile.json"
TRACE: Final = ".trace.json"
SNAPSHOT: Final = ".pickle"
OPENS: Final = {
    TRACE: "open it at ui.perfetto.dev or in chrome://tracing",
    SNAPSHOT: "open it at pytorch.org/memory_viz",
}
"""By the end of a file's name, the viewer that reads it; both work in the browser."""


@dataclass(frozen=True, slots=True)
class File:
    """A file in the folder of the page: its name, its relative address, and its content."""

    name: str
    href: str
    said: str


def of(found: ProfiledRun) -> Iterator[File]:
    """The data of the page, then the files of each profile."""
    yield _file(DATA, "the profiles, and all tables of this page")
    for profile in found.profiles:
        yield from (_file(name, _said(name, profile)) for name in profile.files)


def _said(name: str, profile: Profile) -> str:
    subject = f"{profile.implementation} on {profile.problem}"
    kinds = {TRACE: "trace of one call", SNAPSHOT: "memory snapshot"}
    for end, opens in OPENS.items():
        if name.endswith(end):
            return f"{kinds[end]} of {subject}; {opens}"
    return subject


def _file(name: str, said: str) -> File:
    return File(name, quote(name), said)
