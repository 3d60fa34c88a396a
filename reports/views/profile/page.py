"""The content of a profile's page: its title, its first sentences, and its sections in order."""

from __future__ import annotations

from collections.abc import Iterator

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views import headline
from reports.views.headline import Fault
from reports.views.numbers import times
from reports.views.problems import common_words, shared_words
from reports.views.profile import (
    counters,
    differences,
    flame,
    measured,
    memory,
    scaling,
    set_up,
    time,
)
from reports.views.sections import Section
from reports.views.text import abbreviated, counted

_EVERY = (time, flame, differences, memory, scaling, set_up, counters, measured)


def title(found: ProfiledRun) -> str:
    """As "Profile of chunked against sdpa_flash, b1 h8 t512 d64 full fp32 cpu"."""
    names = " against ".join(map(abbreviated, found.names))
    problems = found.problems
    if len(problems) == 1:
        return f"Profile of {names}, {problems[0]}"
    shared = common_words(problems[0], shared_words(problems)) if problems else ""
    return f"Profile of {names}, {counted(len(problems), 'problem')} ({shared})"


def faults(found: ProfiledRun) -> list[Fault]:
    """What failed when it was measured, and then what failed under the profiler."""
    profiled = (
        Fault(
            f"{abbreviated(each.implementation)} failed under the profiler on {each.problem}",
            each.fault,
            "",
        )
        for each in found.faults
    )
    return [*headline.faults(found.analysis), *profiled]


def sentences(found: ProfiledRun) -> list[str]:
    """The answer: how long it takes, what the time is spent in, and what holds the memory."""
    return measured.sentences(found)


def notes(found: ProfiledRun) -> list[str]:
    """What the profile rests on: machine and date, the overhead, and what is not seen."""
    return [headline.preamble(found.analysis), *_overheads(found), *_unseen(found)]


def sections(found: ProfiledRun) -> list[Section]:
    """The sections with content, in the order of the page."""
    return [section for each in _EVERY for section in each.sections(found)]


def _overheads(found: ProfiledRun) -> Iterator[str]:
    """How much longer a call takes under the profiler, for each implementation."""
    for name in found.names:
        own = [each for each in found.profiles if each.implementation == name]
        every = [ratio for each in own if (ratio := measured.overhead(each)) is not None]
        if every:
            ends = dict.fromkeys(times(each) for each in (min(every), max(every)))
            took = f"A call of {abbreviated(name)} takes {' to '.join(ends)} as long"
            yield f"{took} under the profiler."


def _unseen(found: ProfiledRun) -> Iterator[str]:
    """Why the profiler sees nothing of an implementation, or not its source lines."""
    for profile in found.profiles:
        name = abbreviated(profile.implementation)
        if profile.unseen:
            yield f"The profiler sees no operator of {name}: {profile.unseen}."
        if profile.no_lines:
            yield f"The source lines of {name} are not known: {profile.no_lines}."
