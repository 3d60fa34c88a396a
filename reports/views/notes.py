"""How implementations were called and timed, where that differs from the others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.panels import names_of
from reports.views import kernels, launches, versions
from reports.views.text import LONGEST_TEXT, abbreviated
from suites.records.record import Record

_NUMBER: Final = re.compile(r"\b\d[\d.]*(?:e[-+]?\d+)?")


def sentences(analysis: Analysis, *, panel: str | None = None) -> list[str]:
    """Sentences for each implementation with such notes; None: of all panels."""
    plan = analysis.plan
    names = [e.name for e in plan.entries] if panel is None else names_of(plan, panel)
    said = {name: notes_of(analysis.records, name) for name in names}
    notes = [f"{abbreviated(name)}: {notes}." for name, notes in said.items() if notes]
    named = versions.sentences(analysis.plan, panel=panel)
    ran = kernels.sentences(analysis, panel=panel)
    return [*named, *ran, *notes, *launches.sentences(analysis, panel=panel)]


def notes_of(records: Iterable[Record], name: str) -> str:
    """The notes of an implementation, each once; empty for none.

    Where notes differ in their numbers only, they are one note with … for each number.
    """
    alike: dict[str, set[str]] = {}
    for record in records:
        for note in record.notes if record.implementation == name else ():
            alike.setdefault(_NUMBER.sub("…", note), set()).add(note)
    said = (next(iter(own)) if len(own) == 1 else general for general, own in alike.items())
    return abbreviated("; ".join(said), LONGEST_TEXT)
