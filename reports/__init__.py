"""Reads a stored run and reports it; never measures, never imports torch.

rows < analysis < views < outputs: each imports itself and those before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis
    from reports.outputs.html.saving import Report

__all__ = ["write"]


def write(analysis: Analysis, folder: Path) -> Report:
    """Write a run's page and charts into a folder, as `html.page.write`; the files written."""
    from reports.outputs.html import page  # noqa: PLC0415 - tables and lists need no matplotlib

    return page.write(analysis, folder)
