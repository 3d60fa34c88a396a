"""The page of the small run, made once in a process."""

from __future__ import annotations

from functools import cache

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from tests.saved_run import small_run


@cache
def small_page() -> str:
    """The whole page as text."""
    return page(Analysis(*small_run()))
