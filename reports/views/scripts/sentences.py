"""A script's time in attention in sentences: the share, the next commands, the machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reports.analysis.call_sites import CallSites
from reports.views.numbers import milliseconds, number, percent, three_digits
from reports.views.text import counted
from suites.records.workload import measured_by

OUTSIDE: Final = "outside attention"
SET_UP: Final = "set-up in first calls"
"""Time of first calls above later ones: compilation, allocation, and the like."""


def headline(found: CallSites) -> str:
    """As "attention takes 41 % of a step of 183 ms, 12 calls from 3 lines"."""
    least = "at least " if any(site.unseen for site in found.sites) else ""
    part = percent(found.share(found.attention_ms))
    calls = found.each(sum(site.count for site in found.sites))
    which = f"{calls_text(calls)} call{'' if calls == 1 else 's'} from {_lines(found)}"
    return f"attention takes {least}{part} of {whole(found)}, {which}"


def whole(found: CallSites) -> str:
    """The time that shares are of: a step of 183 ms, the 3.2 s from the first call to the last."""
    if found.has_steps:
        return f"a step of {milliseconds(found.took_ms)} ms"
    return f"the {seconds(found.span_ms)} from the first call to the last"


def unit(found: CallSites) -> str:
    """The word for what figures are of."""
    return "step" if found.has_steps else "script"


def one(found: CallSites) -> str:
    """The unit of figures, with its article: a step, the whole script."""
    return "a step" if found.has_steps else "the whole script"


def commands(found: CallSites, workload: Path) -> list[tuple[str, str]]:
    """The next commands, each with what it finds."""
    return [*_measuring(found, workload), *_profiling_rest(found)]


def _measuring(found: CallSites, workload: Path) -> Iterator[tuple[str, str]]:
    """Commands on the problems of the script; none without a problem."""
    if any(each.problem for each in found.calls):
        path = shlex.quote(str(workload))
        yield "what would be faster", f"python run_bench.py run --workload {path}"
    heaviest = next((each for each in found.calls if each.problem and measured_by(each.by)), None)
    if heaviest is not None:
        name = measured_by(heaviest.by)
        command = f'python run_bench.py profile {name} --problem "{heaviest.problem}"'
        yield "where the heaviest call spends its own time", command


def _profiling_rest(found: CallSites) -> Iterator[tuple[str, str]]:
    """The command that profiles a step, where that is possible and was not done."""
    header = found.found.workload.header
    on_cpu = header.machine.get("device") == "cpu"
    trains = found.has_steps and any(each.backward_ms or each.unseen for each in found.calls)
    if on_cpu and trains and not (found.found.profiled or found.found.unprofiled):
        command = f"python run_bench.py profile --rest -- {header.command}"
        yield "what the rest of a step is", command


def facts(found: CallSites) -> list[tuple[str, str]]:
    """The script and the machine that it ran on, as names and values."""
    header = found.found.workload.header
    steps = f"{header.steps:,}" if found.has_steps else "not known; --steps N states them"
    return [
        ("command", header.command),
        ("ended", header.ended or "not recorded"),
        ("steps", steps),
        ("processes", f"{header.processes}"),
        *((name.replace("_", " "), f"{value}") for name, value in header.machine.items() if value),
    ]


def stamp(found: CallSites) -> str:
    """Command, device and version of torch, for the foot of an image."""
    header = found.found.workload.header
    versions = [f"{header.machine.get('device', '')}", f"torch {header.machine.get('torch', '')}"]
    return ", ".join([header.command, *(versions if header.machine else [])])


def _lines(found: CallSites) -> str:
    return counted(len(found.sites), "line")


def calls_text(calls: float) -> str:
    """A number of calls, which may be an average: 1,200, 12.5."""
    return f"{calls:,.0f}" if float(calls).is_integer() else number(calls)


def seconds(took_ms: float) -> str:
    """As "3.20 s"."""
    return f"{three_digits(took_ms / 1e3)} s"
