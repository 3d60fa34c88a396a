"""A recorded script as sentences: its calls, the share of attention, what was not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Final

from reports.views.numbers import milliseconds
from suites.recording.collecting import Collected
from suites.records.workload import Workload

_SHOWN: Final = 3
"""Reasons and places that a line names."""


def recorded(found: Collected) -> str:
    """As "Recorded 1,200 calls of 6 problems: attention takes 41.2 ms (23 %) of a step"."""
    work = found.workload
    calls = sum(each.count for each in work.calls) + sum(each.count for each in work.others)
    problems = len({str(each.problem) for each in work.calls})
    return f"Recorded {number(calls, 'call')} of {number(problems, 'problem')}: {_share(found)}."


def _share(found: Collected) -> str:
    """The share of attention in a step, or in the whole script."""
    header, attention = found.workload.header, attention_ms(found.workload)
    if header.steps > 1 and header.step_ms:
        step, each = median(header.step_ms), attention / header.steps / header.processes
        part = percent(min(each / step, 1.0))  # the first, slow calls are in its mean
        return (
            f"attention takes {milliseconds(each)} ms ({part}) of a step of {milliseconds(step)} ms"
        )
    part = percent(attention / found.span_ms)
    took = f"{found.span_ms / 1e3:.3g} s from the first call to the last"
    return f"attention took {part} of the {took}; --steps N states it for a step"


def percent(part: float) -> str:
    """As "41 %"."""
    return f"{part:.0%}".replace("%", " %")


def attention_ms(work: Workload) -> float:
    """Time in attention, forward and backward, with calls that are not expressible."""
    known = sum(each.took_ms + (each.backward_ms or 0.0) for each in work.calls)
    return known + sum(each.took_ms for each in work.others)


def missing(found: Collected) -> Iterator[str]:
    """Calls that a measurement of the workload lacks, a line each."""
    if found.workload.others:
        count = sum(each.count for each in found.workload.others)
        took = sum(each.took_ms for each in found.workload.others)
        part = percent(took / (attention_ms(found.workload) or 1.0))
        yield (
            f"{number(count, 'call')} of these, {part} of the time in attention, cannot be "
            f"measured: {'; '.join(_reasons(found))}"
        )
    if found.compiled:
        yield f"Not seen: calls inside torch.compile ({_some(found.compiled)})"
    if found.faults:
        yield f"Not recorded: calls that could not be described ({_some(found.faults)})"


def _reasons(found: Collected) -> list[str]:
    """Each reason with the place of most of its calls: dropout 0.1 (train.py:27 forward)."""
    counts: dict[str, Counter[str]] = {}
    for each in found.workload.others:
        counts.setdefault(each.unexpressed, Counter())[each.place] += each.count
    ordered = sorted(counts.items(), key=lambda each: -each[1].total())
    return [f"{reason} ({_place(places.most_common(1)[0][0])})" for reason, places in ordered]


def _place(place: str) -> str:
    """The innermost line of the script, without its folder."""
    return place.split(" < ", maxsplit=1)[0].rpartition("/")[2]


def _some(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(places[:_SHOWN]) + more


def number(count: int, what: str) -> str:
    """A count with its noun: 1,200 calls."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
