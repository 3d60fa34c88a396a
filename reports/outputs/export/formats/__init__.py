"""Formats of `export`, one module each: `as_` and the name of the format.

A module has `EXTENSION`, of its file, and `write(store, run, path)`, which writes the file and
returns the paths written. It raises OSError for a path that cannot be written. It may have
`doubts(run)`: a line for each thing that the file cannot hold; and
`write_group(store, runs, path)`, which writes the runs RUN@KIND of a group as one file. A new
module is found by itself.
"""

from __future__ import annotations

import pkgutil


def names() -> list[str]:
    """The names of the formats."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return [name.removeprefix("as_").replace("_", "-") for name in modules]
