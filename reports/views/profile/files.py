"""The files beside a profile's page, with what opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    """A file beside the page: its name, its relative address, and its content in words.

    href  empty where the file is not there
    """

    name: str
    href: str
    said: str


def of(found: ProfiledRun, is_there: Callable[[str], bool]) -> Iterator[File]:
    """The data of the page, then the files of each profile.

    is_there  whether a file of this name lies beside the page
    """
    yield File(DATA, DATA, "the profiles, and all tables of this page")
    for profile in found.profiles:
        for name in profile.files:
            said = _said(name, profile)
            if is_there(name):
                yield File(name, quote(name), said)
            else:
                yield File(name, "", f"{said}; in the folder of the profile command")


def _said(name: str, profile: Profile) -> str:
    subject = f"{profile.implementation} on {profile.problem}"
    kinds = {TRACE: "trace of one call", SNAPSHOT: "memory snapshot"}
    for end, opens in OPENS.items():
        if name.endswith(end):
            return f"{kinds[end]} of {subject}; {opens}"
    return subject
