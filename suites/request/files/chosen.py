"""The suite of a command line: a named one, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from suites.request.axes import AXES
from suites.request.files import listed, recorded
from suites.request.suites import named
from suites.request.suites.suite import Suite

FILES: Final = ("--workload", "--problem-file")
REFUSED: Final = (
    "--problem",
    "--inputs",
    "--kv-heads",
    *(name for name in AXES if name != "--device"),
)
"""Options that replace the problems of a suite."""


def chosen(name: str, given: Mapping[str, str | list[str]], *, is_typed: bool) -> Suite:
    """The suite of --workload or --problem-file, or the named one.

    name      of a suite
    given     the options that were typed
    is_typed  whether the name was typed; False: it is the default

    Raises ValueError for two sources of problems, and for a file that is not understood.
    """
    files = [each for each in FILES if each in given]
    sources = [each for each in ("--problem", "--inputs", *FILES) if each in given]
    if is_typed and sources:
        raise ValueError(f"a suite ({name}) and {sources[0]}; expected one or the other")
    if not files:
        return named(name)
    if others := [each for each in (*REFUSED, *files[1:]) if each in given]:
        raise ValueError(
            f"{others[0]} beside {files[0]}; the file names the problems: leave it out"
        )
    path = Path(str(given[files[0]]))
    if files[0] == "--problem-file":
        return listed.suite_of(path)
    suite = recorded.suite_of(path)
    return recorded.moved(suite, str(given["--device"])) if "--device" in given else suite
