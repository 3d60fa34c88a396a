"""The summary of a recorded script, in three lines at most."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from statistics import median

from suites.recording.collecting import Collected
from suites.recording.command import Ended
from suites.records.workload import Workload

_SHOWN = 3
"""Reasons and places that a line names."""


def summary(ended: Ended, out: Path) -> list[str]:
    """How many calls of how many problems, what is missing, and how to measure them."""
    if ended.found is None:
        return [f"attnbench: {ended.why}; {out} was not written"]
    missing = _missing(ended.found)
    kept = f" Tensors: {ended.kept[0]} to {ended.kept[-1].name}." if ended.kept else ""
    measure = f"Measure them with: python run_bench.py run --workload {shlex.quote(str(out))}{kept}"
    return [
        recorded(ended.found),
        *([f"Not in it: {missing}"] if missing else []),
        measure,
    ]


def recorded(found: Collected) -> str:
    """As "Recorded 1,200 calls of 6 problems, 41 % of the 3.2 s from the first call on"."""
    work = found.workload
    calls = sum(each.count for each in work.calls)
    problems = len({str(each.problem) for each in work.calls})
    return f"Recorded {_number(calls, 'call')} of {_number(problems, 'problem')}: {_share(found)}."


def _share(found: Collected) -> str:
    """The share of attention in a step, or in the whole script."""
    header, attention = found.workload.header, attention_ms(found.workload)
    if header.steps > 1 and header.step_ms:
        step, each = median(header.step_ms), attention / header.steps / header.processes
        part = percent(each / step)
        return f"attention takes {each:.3g} ms ({part}) of a step of {step:.3g} ms"
    part = percent(attention / found.span_ms)
    return (
        f"attention took {part} of the {found.span_ms / 1e3:.3g} s from the first call to the last"
    )


def percent(part: float) -> str:
    """As "41 %"."""
    return f"{part:.0%}".replace("%", " %")


def attention_ms(work: Workload) -> float:
    """Time in attention, forward and backward, with calls that are not expressible."""
    known = sum(each.took_ms + (each.backward_ms or 0.0) for each in work.calls)
    return known + sum(each.took_ms for each in work.others)


def _missing(found: Collected) -> str:
    parts = [f"{_number(count, 'call')} ({reason})" for reason, count in _reasons(found)]
    if found.compiled:
        parts.append(f"calls inside torch.compile ({_some(found.compiled)})")
    if found.faults:
        parts.append(f"calls that could not be described ({_some(found.faults)})")
    return "; ".join(parts)


def _reasons(found: Collected) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for each in found.workload.others:
        counts[each.unexpressed] += each.count
    return counts.most_common()


def _some(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(places[:_SHOWN]) + more


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
