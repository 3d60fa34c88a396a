"""The section of a profile's page: set-up, and after how many calls it has paid for itself."""

from __future__ import annotations

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.sections import Section


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none where there is nothing to show."""
    del found
    return []
