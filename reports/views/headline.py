"""The head of a report: what was compared, faults, and one line on how it was measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.views.cases import labelled, labels_of
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.overview import sessions_timed
from reports.views.problems import common_words, shared_words
from reports.views.statuses import STATUS_WORDS
from reports.views.text import abbreviated, counted, moment
from reports.views.verdicts import noise
from suites.request.suites import SUITES

MOST_NAMES: Final = 3
"""Implementations that a title names; more are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An implementation that is wrong, crashed or failed, in words.

    said   the implementation, its state and the first problem
    why    the cause, on one line or several
    cure   what to change; empty: not known
    """

    said: str
    why: str
    cure: str


def title(analysis: Analysis) -> str:
    """The implementations and the problem: mine against sdpa_flash, b1 h8 t4096 d64 causal."""
    plan = analysis.plan
    if len(plan.problems) == 1:
        only = plan.problems[0]
        return f"{_compared(analysis)}, {labelled(only, str(only), labels_of(plan))}"
    suite = f" on the suite {plan.suite}" if plan.suite in SUITES else ""
    return f"{_compared(analysis)}{suite}: {_problems(analysis)}"


def _compared(analysis: Analysis) -> str:
    plan = analysis.plan
    baselines = list(dict.fromkeys(chain.from_iterable(plan.wanted_baselines.values())))
    names = list(plan.named) or [entry.name for entry in plan.entries if not entry.missing]
    others = [name for name in names if name not in baselines] if plan.named else names
    if not others or len(others) > MOST_NAMES:
        return counted(len(names), "implementation")
    shown = " and ".join(filter(None, (", ".join(others[:-1]), others[-1])))
    against = " or ".join(map(abbreviated, baselines)) if plan.named else ""
    return " against ".join(filter(None, (abbreviated(shown), against)))


def _problems(analysis: Analysis) -> str:
    """The number of problems with the words they share: 11 problems (b1 d64 fp32 cpu)."""
    problems = analysis.plan.problems
    shared = common_words(problems[0], shared_words(problems))
    return counted(len(problems), "problem") + (f" ({shared})" if shared else "")


def faults(analysis: Analysis) -> list[Fault]:
    """Implementations that are wrong, crashed or failed, the most severe first."""
    return [_fault(row) for row in not_measured(analysis) if row.is_fault]


def _fault(row: NotMeasured) -> Fault:
    name, state = abbreviated(row.implementation), STATUS_WORDS[row.status]
    more = f" and {counted(row.count - 1, 'more problem')}" if row.count > 1 else ""
    is_ = "is " if row.status == "wrong" else ""
    return Fault(f"{name} {is_}{state} on {row.problems[0]}{more}", row.reason, row.cure)


def preamble(analysis: Analysis) -> str:
    """One line: machine, date, how much was timed, noise."""
    run = analysis.run
    cores = run.machine.get("cores")
    cpu = run.machine.get("cpu") or "a machine without recorded facts"
    with_cores = f", {counted(cores, 'core')}" if isinstance(cores, int) else ""
    parts = (
        *_gpus(analysis),
        f"{cpu}{with_cores}",
        moment(run.started)[:10],
        _timed(analysis),
        f"noise: {noise(analysis.floor, analysis.verdicts)}" if analysis.floor is not None else "",
    )
    return " · ".join(filter(None, parts))


def _gpus(analysis: Analysis) -> list[str]:
    """The names of the devices beside the CPU that the run's problems are on."""
    used = {problem.device for problem in analysis.plan.problems} - {"cpu"}
    devices = analysis.run.machine.get("devices") or ()
    return [each["name"] for each in devices if each.get("device") in used and each.get("name")]


def _timed(analysis: Analysis) -> str:
    """How many answers have times, and from how many sessions; how many agree, without sessions."""
    rows = analysis.outcomes
    if not analysis.plan.sessions:
        agreeing = sum(row.status == "ok" for row in rows)
        return f"{agreeing} of {counted(len(rows), 'answer')} agree, no times taken"
    timed = sum(row.timed for row in rows)
    made = sessions_timed(analysis)
    if not made:
        return f"0 of {counted(len(rows), 'answer')} timed"
    planned = len(analysis.plan.session_numbers)
    of = f" of {planned}" if made < planned else ""
    sessions = f"{counted(made, 'session')}{of}"
    return f"{timed} of {counted(len(rows), 'answer')} timed in {sessions}"
