"""What differs between two runs, and how to measure both sides together, in sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from reports.analysis.comparison import Comparison
from reports.analysis.differences import ChangedFile, Difference
from reports.views.commands import interleaved_command, setting_options
from reports.views.machine import ABSENT, gibibytes
from reports.views.text import LONGEST_TEXT, abbreviated
from suites.records.plan import Entry, Plan

_NAMES: Final = {
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
"""Facts of a machine as they are shown."""


def sentences(found: Comparison) -> list[str]:
    """What differs between the machines and settings of two runs."""
    return [sentence(each, found.base, found.new) for each in found.differences]


def sentence(difference: Difference, base: str, new: str) -> str:
    """One difference: cores: 2 in run-0, 4 in run-1."""
    name = difference.name
    if difference.kind == "machine":
        name = _NAMES[name]
    elif difference.kind == "device":
        name = f"device {name}"
    ours, theirs = (_text(difference.name, each) for each in (difference.base, difference.new))
    return abbreviated(f"{name}: {ours} in {base}, {theirs} in {new}", LONGEST_TEXT)


def side_by_side(found: Comparison) -> list[str]:
    """For each changed file: how to measure the old version beside the new one."""
    return [_old_beside_new(each, found.plan) for each in found.changed]


def _old_beside_new(changed: ChangedFile, plan: Plan) -> str:
    file = Path(changed.path)
    old = f"old_{changed.name}"
    beside = file.with_name(f"{old}.py")
    entries = (
        Entry(name=name, files={name: str(path)})
        for name, path in ((old, beside), (changed.name, file))
    )
    problem = plan.problems[0]
    command = interleaved_command(problem, *entries, files=plan.inputs_of(problem))
    settings = setting_options(plan, max(plan.threads))
    return (
        f"{file.name} has changed: to measure both versions side by side, copy the old one to "
        f"{beside}, call its function {old}, and run: {command}{settings}"
    )


def _text(name: str, value: Any) -> str:
    if value in (None, ""):
        return ABSENT
    if name == "memory_bytes":
        return gibibytes(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
