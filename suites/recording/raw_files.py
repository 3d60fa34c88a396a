"""The raw files of recorded processes, added up for each distinct call."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from suites.recording.site.attnbench_recorder.starting import STARTED

Line = dict[str, Any] | list[Any]
_NS: Final = 1e6
"""Nanoseconds of a millisecond."""


@dataclass(slots=True)
class Totals:
    """The calls of one number in a process.

    data         what the process wrote about it
    count        calls
    times        nanoseconds of those that were timed
    parts        nanoseconds of the attention alone, where a call computes more
    backward     nanoseconds of backward passes that were timed
    backwards    backward passes
    """

    data: dict[str, Any]
    count: int = 0
    times: list[int] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    backward: list[int] = field(default_factory=list)
    backwards: int = 0

    @property
    def took_ms(self) -> float:
        """All calls together, forward; a call without a time counts like the mean of the others."""
        if self.parts:
            return self.count * median(self.parts) / _NS
        return self.count * _mean(self.times) / _NS

    @property
    def first_ms(self) -> float | None:
        """The first call, forward; None where it was not timed, or computes more than attention."""
        return None if self.parts or not self.times else self.times[0] / _NS

    @property
    def backward_ms(self) -> float | None:
        """All backward passes together; None where none was timed."""
        if not self.backward:
            return None
        return self.backwards * _mean(self.backward) / _NS


@dataclass(frozen=True, slots=True)
class Operator:
    """Calls of one operator in a profiled step.

    phase         forward, backward, optimizer or data loading
    in_attention  whether it is attention, or was called by it
    self_ms       without the operators that it calls
    """

    name: str
    phase: str
    in_attention: bool
    count: int
    self_ms: float


@dataclass(frozen=True, slots=True)
class ProfiledStep:
    """A step of an optimizer under torch's profiler.

    took_ms  its wall time: longer than that of a plain step
    """

    took_ms: float
    operators: tuple[Operator, ...]


@dataclass(slots=True)
class Process:
    """A process that called attention.

    number    of the process
    machine   facts
    calls     by number
    starts    of all calls, in nanoseconds
    end       of the last one
    steps     ends of the steps of each optimizer, by its number
    compiled  places that use torch.compile
    faults    calls that could not be described, as sentences
    profiled  the step that was profiled
    profiled_ends  ends of steps that were profiled
    unprofiled     why no step was profiled
    """

    number: int
    machine: dict[str, Any] = field(default_factory=dict)
    calls: dict[int, Totals] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    end: int = 0
    steps: dict[int, list[int]] = field(default_factory=dict)
    compiled: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    profiled: ProfiledStep | None = None
    profiled_ends: set[int] = field(default_factory=set)
    unprofiled: str = ""

    @property
    def span_ms(self) -> float:
        """From the first call to the end of the last one or of the last step."""
        last = max([self.end, *(ends[-1] for ends in self.steps.values())])
        return (last - self.starts[0]) / _NS if self.starts else 0.0

    @property
    def step_ends(self) -> list[int]:
        """Ends of the steps of the optimizer with the most steps."""
        return max(self.steps.values(), key=len, default=[])

    def take(self, line: Line) -> None:
        """Add a line of its file."""
        if isinstance(line, dict):
            self._take_facts(line)
        elif line[0] in ("step", "profiled"):
            self.steps.setdefault(line[1], []).append(line[2])
            if line[0] == "profiled":
                self.profiled_ends.add(line[2])
        elif isinstance(line[0], str):
            self._take_time(*line)
        else:
            self._take_call(*line)

    def _take_facts(self, line: dict[str, Any]) -> None:
        if "call" in line:
            self.calls[line["call"]] = Totals(line)
        elif "machine" in line:
            self.machine = line["machine"]
        elif "compiled" in line:
            self.compiled.append(line["compiled"])
        elif "profiled" in line:
            operators = tuple(Operator(*each) for each in line["operators"])
            self.profiled = ProfiledStep(line["profiled"], operators)
        elif "unprofiled" in line:
            self.unprofiled = line["unprofiled"]
        elif "fault" in line:
            self.faults.append(f"{line['fault']} ({line['place']})")

    def _take_call(self, number: int, start: int, took: int | None) -> None:
        totals = self.calls[number]
        totals.count += 1
        self.starts.append(start)
        self.end = max(self.end, start + (took or 0))
        if took is not None:
            totals.times.append(took)

    def _take_time(self, kind: str, number: int, took: int | None) -> None:
        totals = self.calls[number]
        if kind == "backward":
            totals.backwards += 1
        if took is not None:
            {"time": totals.times, "part": totals.parts, "backward": totals.backward}[kind].append(
                took
            )


def has_started(folder: Path) -> bool:
    """Whether a Python process was recorded, with or without attention."""
    return (folder / STARTED).exists()


def processes(folder: Path) -> list[Process]:
    """The processes that called attention, or used torch.compile; the earliest first."""
    found = [_process(path) for path in folder.glob("*.jsonl")]
    return sorted(found, key=lambda each: (each.starts[:1] or [each.number], each.number))


def _process(path: Path) -> Process:
    lines = _lines(path)
    first = next(lines, {"process": 0})
    process = Process(first["process"] if isinstance(first, dict) else 0)
    for line in lines:
        process.take(line)
    return process


def _lines(path: Path) -> Iterator[Line]:
    """The lines of a file; the last one is left out where the process was killed within it."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def _mean(times: list[int]) -> float:
    """The mean without the first time, which has compilation and other set-up in it."""
    steady = times[1:] or times
    return sum(steady) / max(len(steady), 1)


def most_common_machine(found: list[Process]) -> dict[str, Any]:
    """Facts of the machine as most processes state them."""
    texts = Counter(json.dumps(each.machine, sort_keys=True) for each in found if each.machine)
    return json.loads(texts.most_common(1)[0][0]) if texts else {}
