"""Implementations that a run leaves out because of their slow start, and how to add them."""

from __future__ import annotations

from reports.views.text import LONGEST_TEXT, abbreviated
from suites.records.plan import Plan


def sentence(plan: Plan) -> str:
    """Their names with the options that add them; empty where none is left out."""
    if not plan.left_out:
        return ""
    names = abbreviated(", ".join(map(abbreviated, plan.left_out)), LONGEST_TEXT)
    suite = ", or run the suite peers" if plan.sessions else ""
    return (
        f"Left out, because their set-up takes longer than a second: {names}; add them with "
        f"--with-peers{suite}."
    )
