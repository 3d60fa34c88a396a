"""Whether the packages that draw pages and charts are installed; a run is measured without them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

PACKAGES: Final = ("plotly", "matplotlib")
"""Packages that only pages and charts need."""


def missing() -> list[str]:
    """The packages that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def without_page(run: str) -> str:
    """The line in place of a page's path; empty where a page can be drawn.

    run  the name of the stored run
    """
    if not missing():
        return ""
    return (
        f"no page and no charts: {_names()} not installed. Draw them on another machine: "
        f"python run_bench.py export {run} --format bundle --to run.zip, "
        "then report run.zip there"
    )


def without_charts() -> str:
    """The line in place of the paths of a page and its charts."""
    return (
        f"no page and no charts: {_names()} not installed; python -m pip install plotly matplotlib"
    )


def expect_possible() -> None:
    """Raise ValueError where a page cannot be drawn."""
    if missing():
        raise ValueError(
            f"a page of several runs cannot be drawn: {_names()} not installed; "
            "python -m pip install plotly matplotlib"
        )


def _names() -> str:
    names = missing()
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"
