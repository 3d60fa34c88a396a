"""A recorded script as data for programs: the tables of its page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from reports.analysis.call_sites import Calls, CallSite, CallSites
from reports.analysis.step_rest import kinds
from reports.views.scripts.notes import notes
from reports.views.scripts.sentences import commands, unit
from suites.recording.raw_files import ProfiledStep

FORMAT: Final = "attnbench script profile"
VERSION: Final = 1


def of_script(found: CallSites, workload: Path) -> dict[str, Any]:
    """Every figure of the page. Times are of a step, or of the whole script without steps."""
    header = found.found.workload.header
    return {
        "format": FORMAT,
        "version": VERSION,
        "command": header.command,
        "ended": header.ended,
        "machine": header.machine,
        "processes": header.processes,
        "steps": found.steps,
        "unit": unit(found),
        "unit_ms": found.whole_ms,
        "step_ms": list(header.step_ms),
        "script_ms": found.span_ms,
        "attention_ms": found.each(found.attention_ms),
        "attention_share": found.share(found.attention_ms),
        "set_up_ms": found.set_up_ms,
        "outside_ms": found.outside_ms,
        "lines": [_line(site, found) for site in found.sites],
        "profiled_step": _step(found.found.profiled),
        "compiled": list(found.found.compiled),
        "faults": list(found.found.faults),
        "notes": notes(found),
        "next": [command for _, command in commands(found, workload)],
    }


def _step(step: ProfiledStep | None) -> dict[str, Any] | None:
    """The profiled step by kind of operators; null where none was profiled."""
    if step is None:
        return None
    return {"ms": step.took_ms, "kinds": [asdict(each) for each in kinds(step)]}


def _line(site: CallSite, found: CallSites) -> dict[str, Any]:
    return {
        "line": site.script,
        "library_line": site.library or None,
        "functions": list(site.functions),
        **_figures(site, found),
        "problems": [_problem(each, found) for each in site.calls],
    }


def _problem(each: Calls, found: CallSites) -> dict[str, Any]:
    return {
        "problem": each.problem or None,
        "not_expressible": each.reason or None,
        "shapes": [list(shape) for shape in each.shapes],
        "function": each.by,
        **_figures(each, found),
    }


def _figures(each: Calls | CallSite, found: CallSites) -> dict[str, Any]:
    """Null is not measured: a backward pass that is not seen is never 0."""
    backward = each.backward_ms
    return {
        "calls": found.each(each.count),
        "calls_in_all": each.count,
        "forward_ms": found.each(each.forward_ms),
        "backward_ms": None if backward is None else found.each(backward),
        "backward_not_seen": each.unseen,
        "share": found.share(each.total_ms),
        "first_call_ms": each.first_ms,
    }
