"""Notes on a script's figures: set-up, and attention that is not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from reports.analysis.call_sites import CallSites
from reports.views.numbers import milliseconds
from reports.views.recording import missing
from reports.views.scripts.names import short
from reports.views.scripts.sentences import OUTSIDE, SET_UP, seconds, whole
from reports.views.text import capitalized, counted

_SLOW_START: Final = 2.0
"""A first call that takes so many times a later one has a sentence."""


def notes(found: CallSites) -> list[str]:
    """Notes on these figures, whole sentences."""
    return [capitalized(f"{each}.") for each in _notes(found)]


def _notes(found: CallSites) -> Iterator[str]:
    ended = found.found.workload.header.ended
    if ended not in ("", "exit status 0"):
        yield f"the script ended with {ended}; the figures are of its calls until then"
    yield _script_time(found)
    yield from _first_calls(found)
    yield from _unseen(found)
    yield from missing(found.found)
    yield from _uneven(found)


def _script_time(found: CallSites) -> str:
    """The whole script, where figures are of a step; else how they become those of a step."""
    if not found.has_steps:
        return "figures are of the whole script; --steps N states how many equal steps it has"
    calls = sum(site.count for site in found.sites)
    several = f" of {found.processes} processes together" if found.processes > 1 else ""
    return (
        f"whole script: {calls:,} calls, {seconds(found.attention_ms)} in attention, "
        f"{seconds(found.span_ms)} from the first call to the last{several}"
    )


def _first_calls(found: CallSites) -> Iterator[str]:
    """Set-up: the slowest first call beside a later one, and problems that were called once."""
    several = [each for each in found.calls if each.count > 1 and each.first_ms is not None]
    slowest = max(several, key=lambda each: each.first_ms or 0.0, default=None)
    if slowest and (slowest.first_ms or 0.0) > _SLOW_START * slowest.later_ms:
        yield (
            f"the slowest first call took {milliseconds(slowest.first_ms)} ms, a later one takes "
            f"{milliseconds(slowest.later_ms)} ms ({short(slowest.place)}): {_left_out(found)}"
        )
    once = sum(each.count == 1 for each in found.calls)
    if once:
        yield (
            f"{once} of {counted(len(found.calls), 'problem')} came up once: the times of "
            f"{'that call have' if once == 1 else 'those calls have'} set-up in them"
        )


def _left_out(found: CallSites) -> str:
    """The note on the set-up of first calls."""
    if found.has_steps:
        return "the first step, which has set-up in it, is in no figure of a step"
    return f"the difference counts as {SET_UP}"


def _unseen(found: CallSites) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for each in found.calls:
        if each.unseen:
            counts[each.place] += each.count
    if counts:
        first = short(counts.most_common(1)[0][0])
        yield (
            f"the backward pass of {counted(counts.total(), 'call')} is not seen ({first}): no "
            f"single node of the autograd graph computes it; its time counts as {OUTSIDE}"
        )


def _uneven(found: CallSites) -> Iterator[str]:
    """Notes on shares of another time, and on calls outside of steps."""
    if found.whole_ms > found.took_ms:
        yield (
            f"attention and its set-up take {milliseconds(found.whole_ms)} ms in the mean, more "
            f"than {whole(found)}: steps differ or calls overlap; shares are of the larger time"
        )
    optimized = found.has_steps and any(each.backward_ms or each.unseen for each in found.calls)
    without = [each for each in found.calls if not each.backward_ms and not each.unseen]
    if optimized and without:
        count = sum(each.count for each in without)
        yield (
            f"{counted(count, 'call')} of the script had no backward pass; calls of an evaluation "
            "between steps count as part of a step"
        )
