"""A check as markdown: the verdict of each implementation, then causes with their cures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.outputs.markdown.text import escaped
from reports.views import checked
from reports.views.checked import Checked
from reports.views.text import counted
from suites.discover.discovery import Discovery

MOST_CAUSES: Final = 4
"""Causes of one implementation; more are counted."""


def of_check(analysis: Analysis, found: Sequence[Discovery] = ()) -> str:
    """One line for each implementation, those at fault first, with their causes below.

    found  limits of plain functions, found by trial
    """
    claims = {each.name for each in found if each.claims_too_much}
    ordered = sorted(checked.every(analysis, found), key=lambda each: each.is_sound)
    return "\n".join(line for each in ordered for line in _lines(each, claims)) + "\n"


def _lines(each: Checked, claims: Collection[str]) -> list[str]:
    said = escaped(checked.verdict(each))
    left = len(each.causes) - MOST_CAUSES
    more = [f"  - {counted(left, 'more cause')}"] if left > 0 else []
    causes = [f"  - {escaped(checked.cannot(cause))}" for cause in each.causes[:MOST_CAUSES]]
    if each.entry.name in claims:
        more.append(
            "  - its parameters accept what it does not agree on: `check` prints its Limits"
        )
    return [f"- {said if each.is_sound else f'**{said}**'}", *causes, *more]
