"""The section of a profile's page: operators by their time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from reports.analysis.profile.operators import IDLE, Operators, Row, measured
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.rows.kernels import kernel_names
from reports.views.charts.profile_time import chart
from reports.views.machine import ceiling_rate
from reports.views.numbers import attainable, known, mebibytes, milliseconds, percent, times
from reports.views.problems import shared_words, without
from reports.views.profile import operators
from reports.views.sections import Section
from reports.views.text import abbreviated
from suites.records.profile import Profile
from suites.stats.ceilings import Ceiling

MOST_KINDS: Final = 4
"""Kinds of operators that an answer names."""
LEAST_SHARE: Final = 0.03
"""Kinds below this share of the call are not named in an answer."""
NAMED_ALONE: Final = 0.8
"""An operator with this share of its kind stands for the kind in an answer."""
LEAST_RATED: Final = 0.1
"""Shares from which an answer names the part of the ceiling."""

_BY_NAME: Final = ("products", "attention", "softmax and exponentials")
"""Kinds whose operators are named in an answer; the names of others say less than the kind."""
MORE_FLOPS: Final = 1.05
"""FLOPs of products over those of the visible pairs, from which the answer states them."""
BEYOND: Final = (
    "Above 100 %, the data came from a cache, or the machine was slower when the ceilings were "
    "measured."
)


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none where there is nothing to show."""
    every = [
        Operators(profile, found.analysis)
        for problem in found.problems
        for profile in found.on(problem)
        if not profile.unseen
    ]
    unseen = [outside(each, found.analysis) for each in found.profiles if each.unseen]
    if not every and not unseen:
        return []
    return [
        Section(
            id="time",
            heading="Where the time goes",
            sentences=(*unseen, *_sentences(every)),
            charts=(chart(every),) if every else (),
            tables=(operators.by_operator(every), operators.by_line(every)) if every else (),
        )
    ]


def answer(profile: Profile, analysis: Analysis) -> str:
    """The largest parts of the time of a call, as one or two sentences."""
    if profile.unseen:
        return outside(profile, analysis)
    found = Operators(profile, analysis)
    of = "device time" if found.on_device else "time"
    named = list(_named(found))
    first = f"{named[0][0]} of the {of} in {named[0][1]}"
    parts = [first, *(f"{share} in {name}" for share, name in named[1:])]
    subject = _subject(profile, analysis)
    return f"{subject}: {', '.join(parts)}.{_slowest_line(found)}{_more_flops(found)}"


def outside(profile: Profile, analysis: Analysis) -> str:
    """The reason why the profiler does not see the work; figures measured from outside."""
    row = measured(profile, analysis)
    took = row.median_ms if row else median(profile.plain_ms)
    resident = row.resident_bytes if row else None
    memory = f" A first call adds {mebibytes(resident)} MiB of resident memory." if resident else ""
    return (
        f"{_subject(profile, analysis)}: {profile.unseen}. From outside, a call takes "
        f"{milliseconds(took)} ms.{memory}"
    )


def _subject(profile: Profile, analysis: Analysis) -> str:
    """The implementation, with the problem where the run has several."""
    name = abbreviated(profile.implementation)
    return f"{name} on {profile.problem}" if len(analysis.plan.problems) > 1 else name


def _named(found: Operators) -> Iterator[tuple[str, str]]:
    """The shares of the largest kinds of operators, with their names and parts of ceilings."""
    for place, row in enumerate(found.by_category):
        if place and (row.share < LEAST_SHARE or place >= MOST_KINDS):
            return
        own = [each for each in found.by_operator if each.category == row.category]
        longest = max(own, key=lambda each: each.self_ns)
        one = longest if longest.self_ns >= NAMED_ALONE * row.self_ns else row
        yield percent(row.share), f"{_kind_name(one)}{_at(one)}"


def _kind_name(row: Row) -> str:
    """The kind of operators, or the name of the one that stands for it."""
    if row.name == IDLE:
        return "no kernel"
    if row.category == "compiled code":
        return f"torch.compile's {row.name}"
    if row.name == row.category or row.category not in _BY_NAME:
        few = row.category in {"elementwise", "other"}
        return f"{row.category} operators" if few else row.category
    return operators.shown(row.name).strip("_")


def _at(row: Row) -> str:
    """Its part of the ceiling: at 61 % of the ceiling; of memory bandwidth where it moves data."""
    if row.part is None or row.ceiling is None or row.share < LEAST_RATED:
        return ""
    of = "the ceiling" if row.ceiling.kind == "matmul" else "the memory bandwidth"
    return f" at {percent(row.part)} of {of}"


def _slowest_line(found: Operators) -> str:
    """The line with the most time, and its share; empty where lines are not known."""
    shares: dict[str, float] = {}
    for row in found.by_line:
        if row.line:
            shares[row.line] = shares.get(row.line, 0.0) + row.share
    if len(shares) < 2:
        return ""
    line = max(shares, key=lambda each: shares[each])
    return f" The slowest line is {line}: {percent(shares[line])}."


def _more_flops(found: Operators) -> str:
    """That its products compute hidden pairs, too; empty where they do not."""
    ratio = found.flops_ratio
    if ratio is None or ratio < MORE_FLOPS:
        return ""
    return f" Its products have {times(ratio)} the FLOPs of the visible pairs."


def _sentences(every: Sequence[Operators]) -> Iterator[str]:
    """The answers of several problems, then what is needed to read the figures."""
    if len({each.profile.problem for each in every}) > 1:
        # Those of a single problem are the first sentences of the page.
        yield from (answer(each.profile, each.analysis) for each in every)
    if not every:
        return
    yield from _ran(every)
    yield from _launching(every)
    yield from _attained(every)
    yield _slowed(every)
    yield from _ceilings(every)
    for each in every:
        if each.profile.no_lines:
            yield f"{_subject(each.profile, each.analysis)}: {each.profile.no_lines}."


def _ran(every: Sequence[Operators]) -> Iterator[str]:
    """The kernels that do the work of each implementation."""
    ran = {
        f"{abbreviated(each.profile.implementation)} {kernel_names(each.profile.kernels)}": None
        for each in every
        if each.profile.kernels
    }
    if ran:
        yield f"Kernels that do the work: {'; '.join(ran)}."


def _launching(every: Sequence[Operators]) -> Iterator[str]:
    """The host's share of a call on a GPU, and the idle time of the device."""
    for each in every:
        if each.on_device:
            idle = sum(row.share for row in each.by_operator if row.name == IDLE)
            host = percent(each.host_ns / each.call_ns)
            yield (
                f"{_subject(each.profile, each.analysis)}: launching takes the host {host} of the "
                f"call, and the device is idle for {percent(idle)}."
            )


def _slowed(every: Sequence[Operators]) -> str:
    """The time of a call with the profiler over that without it."""
    ratios = [
        f"{times(median(each.profile.profiled_ms) / median(each.profile.plain_ms))} "
        f"({_label(each, every)})"
        for each in every
    ]
    return f"With the profiler a call takes {', '.join(dict.fromkeys(ratios))} its time without it."


def _attained(every: Sequence[Operators]) -> Iterator[str]:
    """The part of the attainable rate that whole calls reach, by the times of the run."""
    reached = [
        (each, each.measured.share_of_attainable)
        for each in every
        if each.measured is not None and known(each.measured.share_of_attainable)
    ]
    if reached:
        said = ", ".join(f"{_label(each, every)} {attainable(share)}" for each, share in reached)
        yield f"Part of the attainable rate that whole calls reach without the profiler: {said}."


def _label(found: Operators, every: Sequence[Operators]) -> str:
    """The implementation; of several problems, with the words that set its own apart."""
    name = abbreviated(found.profile.implementation)
    shared = shared_words({each.profile.problem for each in every})
    return f"{name} {without(found.profile.problem, shared)}" if shared else name


def _ceilings(every: Sequence[Operators]) -> Iterator[str]:
    """The rates beside the operators, and what more than 100 % means."""
    rows = [row for each in every for row in each.by_operator if row.part is not None]
    used: dict[Ceiling, None] = dict.fromkeys(row.ceiling for row in rows if row.ceiling)
    if not used:
        yield "The run has no measured ceilings, so no operator has a part of one."
        return
    said = ", ".join(f"{_ceiling_name(each)} {ceiling_rate(each)}" for each in used)
    yield f"Measured ceilings of this machine: {said}."
    if any(row.part is not None and row.part > 1 for row in rows):
        yield BEYOND
    if any(row.category == "compiled code" for row in rows):
        yield "Compiled code has the FLOPs of the visible pairs of the problem."


def _ceiling_name(ceiling: Ceiling) -> str:
    if ceiling.kind == "matmul":
        return f"{ceiling.dtype} products"
    return f"{operators.CEILINGS[ceiling.kind]} in memory"
