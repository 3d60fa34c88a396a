"""The workload of raw files: equal calls from one place become one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from suites.recording.problems import problem_of
from suites.recording.raw_files import Process, ProfiledStep, Totals, most_common_machine, processes
from suites.records.workload import Header, Recorded, Unrecorded, Workload

Line = Recorded | Unrecorded


@dataclass(frozen=True, slots=True)
class Collected:
    """A workload, and what its file does not say.

    span_ms   wall time of the processes from their first to their last call, together
    compiled  places that use torch.compile
    faults    calls that could not be described
    profiled  the step that was profiled; None: none was
    unprofiled  why no step was profiled, where one was to be; empty where that is not known
    """

    workload: Workload
    span_ms: float
    compiled: tuple[str, ...]
    faults: tuple[str, ...]
    profiled: ProfiledStep | None = None
    unprofiled: str = ""


def collect(folder: Path, *, command: str, ended: str, steps: int | None) -> Collected:
    """The workload of the raw files in a folder.

    steps  equal steps of the script, as stated; None: steps of the optimizer, else the whole
    """
    found = processes(folder)
    calling = [each for each in found if each.starts]
    count, step_ms = _steps(calling, steps)
    lines = _merged(
        line for each in calling for totals in each.calls.values() for line in _lines(totals)
    )
    header = Header(
        command=command,
        machine=most_common_machine(calling),
        processes=len(calling),
        steps=count,
        step_ms=tuple(round(each, 4) for each in step_ms),
        ended=ended,
    )
    calls = tuple(each for each in lines if isinstance(each, Recorded))
    others = tuple(each for each in lines if isinstance(each, Unrecorded))
    return Collected(
        Workload(header=header, calls=calls, others=others),
        sum(each.span_ms for each in calling),
        tuple(dict.fromkeys(place for each in found for place in each.compiled)),
        tuple(dict.fromkeys(fault for each in found for fault in each.faults)),
        next((each.profiled for each in calling if each.profiled), None),
        next((each.unprofiled for each in calling if each.unprofiled), ""),
    )


def _lines(totals: Totals) -> Iterator[Line]:
    """Calls with a backward pass, and those without one, as lines."""
    trained = min(totals.backwards, totals.count)
    if trained:
        yield _line(totals, trained, training=True)
    if trained < totals.count:
        yield _line(totals, totals.count - trained, training=False)


def _line(totals: Totals, count: int, *, training: bool) -> Line:
    data = totals.data
    took_ms = round(totals.took_ms * count / totals.count, 6)
    backward_ms = totals.backward_ms if training else None
    backward_ms = None if backward_ms is None else round(backward_ms, 6)
    try:
        problem = problem_of(data, training=training)
    except ValueError as error:
        return Unrecorded(
            unexpressed=str(error),
            count=count,
            place=data["place"],
            by=data["by"],
            took_ms=round(took_ms + (backward_ms or 0.0), 6),
            backward_ms=backward_ms,
            first_ms=totals.first_ms,
            training=training,
            shapes=_nested(data["shapes"]),
        )
    return Recorded(
        problem=problem,
        count=count,
        place=data["place"],
        by=data["by"],
        took_ms=took_ms,
        backward_ms=backward_ms,
        first_ms=totals.first_ms,
        threads=data["threads"],
        grad=data["grad"],
        strides=_nested(data["strides"]),
        mask=data["mask"],
    )


def _merged(lines: Iterator[Line]) -> list[Line]:
    """Lines that differ only in count and times become one; the order is of first calls."""
    found: dict[Line, Line] = {}
    for line in lines:
        key = replace(line, count=1, took_ms=0.0, backward_ms=None, first_ms=None)
        found[key] = _sum(found[key], line) if key in found else line
    return list(found.values())


def _sum(first: Line, second: Line) -> Line:
    """Both lines together; of the first calls, the slowest."""
    backward = [each for each in (first.backward_ms, second.backward_ms) if each is not None]
    slow = [each for each in (first.first_ms, second.first_ms) if each is not None]
    return replace(
        first,
        count=first.count + second.count,
        took_ms=first.took_ms + second.took_ms,
        backward_ms=sum(backward) if backward else None,
        first_ms=max(slow, default=None),
    )


def _steps(calling: list[Process], stated: int | None) -> tuple[int, list[float]]:
    """How many steps there were, and the wall times in ms of those that are known singly."""
    if not calling:
        return 1, []
    if stated is not None:
        return stated, _equal_steps(calling, stated)
    longest = max(calling, key=lambda each: len(each.step_ends))
    ends = longest.step_ends
    if len(ends) > 1:
        plain = ((a, b) for a, b in pairwise(ends) if b not in longest.profiled_ends)
        return len(ends), [(b - a) / 1e6 for a, b in plain]
    return 1, [max(each.span_ms for each in calling)]


def _equal_steps(calling: list[Process], steps: int) -> list[float]:
    """Times between the first calls of steps; the first step and the last one are left out.

    The mean, where the calls of one process do not divide by the steps.
    """
    starts = calling[0].starts
    if len(calling) == 1 and steps > 2 and len(starts) % steps == 0:
        firsts = starts[:: len(starts) // steps]
        return [(b - a) / 1e6 for a, b in pairwise(firsts[1:])]
    return [max(each.span_ms for each in calling) / steps]


def _nested(rows: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(each) for each in rows)
