"""What it means: reads a stored run, never measures, never imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.analysis import Analysis
    from reports.html.page import Report

__all__ = ["write"]


def write(analysis: Analysis, folder: Path) -> Report:
    """Write a run's page and charts into a folder, and tell where, as `html.page.write`."""
    from reports.html import page  # noqa: PLC0415 - tables and lists answer without matplotlib

    return page.write(analysis, folder)
