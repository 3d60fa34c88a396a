"""The content of a profile's page: its title, its first sentences, and its sections in order."""

from __future__ import annotations

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.profile import counters, differences, flame, memory, scaling, set_up, time
from reports.views.sections import Section

_EVERY = (time, flame, differences, memory, scaling, set_up, counters)


def title(found: ProfiledRun) -> str:
    """As "Profile of chunked against sdpa_flash"."""
    return "Profile of " + " against ".join(found.names)


def sentences(found: ProfiledRun) -> list[str]:
    """The answer: what the time is spent in, and what holds the memory."""
    return [f"{each.implementation} on {each.problem}: {each.fault}" for each in found.faults]


def sections(found: ProfiledRun) -> list[Section]:
    """The sections with content, in the order of the page."""
    return [section for each in _EVERY for section in each.sections(found)]
