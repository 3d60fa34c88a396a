"""How implementations were called, where that differs from the others."""

from __future__ import annotations

from reports.analysis.run_analysis import Analysis
from reports.views.text import abbreviated


def sentences(analysis: Analysis, *, panel: str | None = None) -> list[str]:
    """One sentence for each implementation with such a note; None: of all panels."""
    found: dict[str, dict[str, None]] = {}
    for row in analysis.measurements:
        if row.notes and panel in (None, row.panel):
            found.setdefault(row.implementation, {}).update(dict.fromkeys(row.notes.split("; ")))
    return [f"{abbreviated(name)}: {'; '.join(own)}." for name, own in found.items()]
