"""The parts that a run leaves out: slow starts, and cases that its suite lacks for time."""

from __future__ import annotations

from reports.views.text import LONGEST_TEXT, abbreviated
from suites.records.plan import Plan
from suites.request.suites import SUITES


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


def of_suite(plan: Plan) -> str:
    """The cases of the question that the suite lacks, with the reasons; empty for none."""
    suite = SUITES.get(plan.suite)
    if suite is None or not suite.left_out:
        return ""
    return f"The suite {suite.name} leaves out {'; '.join(suite.left_out)}."
