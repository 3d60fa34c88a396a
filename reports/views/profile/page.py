"""The content of a profile's page: its title, its first sentences, and its sections in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views import headline
from reports.views.headline import Fault
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.problems import common_words, shared_words
from reports.views.profile import (
    counters,
    differences,
    flame,
    layers,
    measured,
    memory,
    scaling,
    set_up,
    time,
)
from reports.views.sections import Section
from reports.views.text import abbreviated, counted
from suites.records.profile import Profile


class Answer(NamedTuple):
    """Sentences of one part of the answer."""

    label: str
    sentences: tuple[str, ...]


_EVERY = (layers, time, differences, flame, memory, scaling, set_up, counters, measured)


def title(found: ProfiledRun) -> str:
    """As "Profile of chunked against sdpa_flash, b1 h8 t512 d64 full fp32 cpu"."""
    plan = found.analysis.plan
    names = " against ".join(map(abbreviated, found.names or plan.named))
    problems = found.problems or plan.problems
    if len(problems) == 1:
        return f"Profile of {names}, {problems[0]}"
    shared = common_words(problems[0], shared_words(problems))
    return f"Profile of {names}, {counted(len(problems), 'problem')} ({shared})"


def faults(found: ProfiledRun) -> list[Fault]:
    """Faults: of the measurement first, then of the profiler."""
    return [*headline.faults(found.analysis), *map(_fault, found.faults)]


def _fault(profile: Profile) -> Fault:
    name = abbreviated(profile.implementation)
    return Fault(f"{name} failed under the profiler on {profile.problem}", profile.fault, "")


def answers(found: ProfiledRun) -> list[Answer]:
    """Sentences on the measured time, the difference, the parts of the time, and memory."""
    every = (
        Answer("Measured", tuple(measured.sentences(found))),
        Answer("Difference", tuple(differences.answers(found))),
        Answer("Layers", tuple(layers.answers(found))),
        Answer("Time", tuple(_times(found))),
        Answer("Growth", tuple(scaling.answers(found))),
        Answer("Memory", tuple(_peaks(found))),
    )
    return [answer for answer in every if answer.sentences]


def sentences(found: ProfiledRun) -> list[str]:
    """The answers without their labels."""
    return [sentence for answer in answers(found) for sentence in answer.sentences]


def _times(found: ProfiledRun) -> Iterator[str]:
    """The largest parts of the time, on the problem with the longest call."""
    for profile in found.profiles:
        if profile.problem == found.longest and not profile.fault:
            yield time.answer(profile, found.analysis)


def _peaks(found: ProfiledRun) -> Iterator[str]:
    """The peak memory and what holds it, on the same problem."""
    for profile in found.on(found.longest) if found.longest else ():
        if said := memory.peak_sentence(profile):
            faults = memory.faults_sentence(found, profile)
            yield f"{abbreviated(profile.implementation)}: {said}. {faults}".rstrip()


def notes(found: ProfiledRun) -> list[str]:
    """Machine, date and noise; why an implementation was not profiled on a problem."""
    return [headline.preamble(found.analysis), *left_out(found)]


def left_out(found: ProfiledRun) -> list[str]:
    """Reasons for missing profiles: limits of an implementation, or the machine."""
    plan = found.analysis.plan
    named = {*found.names, *plan.named, plan.baseline}
    rows = not_measured(found.analysis)
    return [_left_out(row) for row in rows if row.implementation in named and not row.is_fault]


def _left_out(row: NotMeasured) -> str:
    more = f" and {counted(row.count - 1, 'more problem')}" if row.count > 1 else ""
    name = abbreviated(row.implementation)
    return f"{name} was not profiled on {row.problems[0]}{more}: {row.explanation}."


def sections(found: ProfiledRun) -> list[Section]:
    """The sections with content, in the order of the page."""
    return [section for each in _EVERY for section in each.sections(found)]
