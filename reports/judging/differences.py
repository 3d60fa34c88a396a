"""What sets two runs apart besides what they measured, and how to measure both sides together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from reports import words
from reports.machine import ABSENT
from reports.tables import parsed
from suites.records.plan import Entry, Plan
from suites.records.store import Run

_FACTS: Final = {
    "cpu": "CPU",
    "cores": "cores",
    "memory_bytes": "memory",
    "os": "system",
    "python": "Python",
    "attnbench": "attnbench",
    "allocator": "allocator",
    "cpu_capability": "CPU capability",
    "float32_matmul_precision": "float32 matmul precision",
}
_LABELS: Final = ("threads", "cache", "allocator")
_OF_PAGES: Final = ("pandas", "plotly", "matplotlib")
"""What draws a page has no part in a time."""


def differences(base: Run, new: Run) -> list[str]:
    """What differs between the machines and labels of two runs, in words; empty when they match."""
    ours, theirs = _facts(base), _facts(new)
    return [
        words.abbreviated(
            f"{name}: {ours.get(name, ABSENT)} in {base.name}, "
            f"{theirs.get(name, ABSENT)} in {new.name}",
            words.LONGEST_TEXT,
        )
        for name in {**ours, **theirs}
        if ours.get(name, ABSENT) != theirs.get(name, ABSENT)
    ]


def interleaved_command(
    problem: str, base: Entry, new: Entry, *, sessions: int | None = None
) -> str:
    """The command that measures two implementations of one program side by side."""
    against = words.repeat_command(problem, base).partition(" --impl ")[2]
    count = f" --sessions {sessions}" if sessions else ""
    return f"{words.repeat_command(problem, new)} --against {against}{count}"


def side_by_side(base: Run, new: Run) -> list[str]:
    """For each file that changed between two runs: how to measure the old one beside the new."""
    said = {}
    for ours, theirs in _both(base, new):
        for name, hashed in theirs.hashes.items():
            if ours.hashes.get(name, hashed) != hashed:
                said[name] = _old_beside_new(name, Path(theirs.files[name]), new.plan)
    return list(said.values())


def _old_beside_new(name: str, file: Path, plan: Plan) -> str:
    old = f"old_{name}"
    beside = file.with_name(f"{old}.py")
    entries = (
        Entry(name=each, files={each: str(path)}) for each, path in ((old, beside), (name, file))
    )
    command = interleaved_command(plan.problems[0], *entries)
    settings = words.setting_options(plan, max(plan.threads))
    return (
        f"{file.name} has changed: to measure both versions side by side, copy the old one to "
        f"{beside}, call its function {old}, and run: {command}{settings}"
    )


def _both(base: Run, new: Run) -> Iterator[tuple[Entry, Entry]]:
    ours = {entry.name: entry for entry in base.plan.entries}
    return ((ours[entry.name], entry) for entry in new.plan.entries if entry.name in ours)


def _facts(run: Run) -> dict[str, str]:
    """What has a part in a time: the machine's facts and the plan's labels, as they are printed."""
    machine = run.machine
    return {
        **{said: _text(name, machine.get(name)) for name, said in _FACTS.items()},
        **{f"device {kind}": name for kind, name in _devices(run)},
        **{
            name: version or "not installed"
            for name, version in (machine.get("versions") or {}).items()
            if name not in _OF_PAGES
        },
        **{f"--{name}": _text(name, getattr(run.plan, name)) for name in _LABELS},
    }


def _devices(run: Run) -> Iterator[tuple[str, str]]:
    """The devices that the problems of the run are for."""
    asked = {parsed(problem).device for problem in run.plan.problems}
    for each in run.machine.get("devices") or ():
        if each.get("device") in asked:
            yield each["device"], str(each.get("name", ABSENT))


def _text(name: str, value: Any) -> str:
    if value in (None, ""):
        return ABSENT
    if name == "memory_bytes":
        return f"{value / 2**30:.3g} GiB"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
