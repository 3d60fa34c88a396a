"""A profile as data for programs: the tables of its page, and the profiles themselves."""

from __future__ import annotations

import math
from typing import Any, Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.outputs.export.json_data import plain
from reports.rows.columns import columns
from reports.rows.measurements import measured_columns
from reports.views.profile import page as views
from reports.views.sections import Section, Table, Value
from suites.records.codec import to_data

FORMAT: Final = "attnbench profile"
VERSION: Final = 1


def of_profiles(found: ProfiledRun) -> dict[str, Any]:
    """Everything that the page shows, as docs/profile.md describes it."""
    analysis = found.analysis
    timed = [row for each in found.profiles if (row := found.measurement(each))]
    judged = [verdict for each in found.profiles if (verdict := found.verdict(each))]
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": analysis.run.name,
        "command": analysis.run.command,
        "started": analysis.run.started,
        "ended": analysis.run.ended,
        "machine": plain(analysis.run.machine),
        "answers": views.sentences(found),
        "faults": [f"{each.said}: {each.why}" for each in views.faults(found)],
        "measurements": list(map(plain, measured_columns(analysis.plan, timed))),
        "verdicts": [plain(columns(row)) for row in judged],
        "sections": [_section(section) for section in views.sections(found)],
        "profiles": [to_data(each) for each in found.profiles],
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "id": section.id,
        "heading": section.heading,
        "sentences": list(section.sentences),
        "tables": list(map(_table, section.tables)),
    }


def _table(table: Table) -> dict[str, Any]:
    """Its columns by their names in downloads, and a list for each row."""
    return {
        "caption": table.caption,
        "columns": list(table.names or table.head),
        "rows": [[_cell(value) for value in row.cells] for row in table.rows],
    }


def _cell(value: Value) -> str | float | None:
    """The number of a cell, None where it was not measured, else its text."""
    if value.order is None:
        return value.text
    return value.order if math.isfinite(value.order) else None
