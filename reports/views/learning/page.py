"""What the page of learning shows: its title, its first sentences, and its sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.learning.learnt import LearntTask, faults, tasks
from reports.views import machine
from reports.views.charts.chart import Chart
from reports.views.charts.palette import looks_of
from reports.views.headline import Fault
from reports.views.learning import curves, recall, verdicts
from reports.views.sections import Section
from reports.views.statuses import STATUS_WORDS
from reports.views.text import abbreviated, counted, moment
from suites.training import LearntRun

DATA: Final = "learning.json"
NOT_JUDGED: Final = (
    "Curves, accuracies and times are shown and not judged: later losses amplify rounding, and a "
    "training is no measurement of time."
)


def title(found: LearntRun) -> str:
    """As "Learning with chunked", or with the number of implementations."""
    names = found.named or tuple(dict.fromkeys(t.implementation for t in found.trainings))
    if len(names) <= 3:
        return f"Learning with {', '.join(map(abbreviated, names))}"
    trained = {each.implementation for each in found.trainings if each.status == "ok"}
    return f"Learning with {counted(len(trained), 'implementation')}"


def sentences(found: LearntRun) -> list[str]:
    """The verdict of each judged task, and recall by mask."""
    every = tasks(found)
    judged = [verdicts.sentence(each) for each in every if each.task.is_judged]
    return [
        *judged,
        *(s for each in every if not each.task.is_judged for s in recall.sentences(each)),
    ]


def fault_rows(found: LearntRun) -> Iterator[Fault]:
    """What fails the gate, and what failed otherwise."""
    for row in faults(found):
        name, task = abbreviated(row.training.implementation), row.training.task
        if row.passes is False:
            why = f"its first losses differ by {verdicts.small(row.difference)}"
            cure = f"python run_bench.py check {row.training.implementation}"
            yield Fault(f"{name} fails the gate on {task}", why, cure)
        else:
            state = STATUS_WORDS[row.training.status]
            yield Fault(f"{name} {state} on {task}", row.training.reason, "")


def notes(found: LearntRun) -> list[str]:
    """Machine and date, and what is not judged."""
    cpu, cores = found.run.machine.get("cpu"), found.run.machine.get("cores")
    threads = counted(found.run.plan.threads[0], "thread")
    where = f"{cpu or machine.ABSENT}, {cores} cores, {threads}"
    return [f"{where} · {moment(found.run.started)[:10]}", NOT_JUDGED]


def sections(found: LearntRun) -> list[Section]:
    """A section for each task."""
    return [_section(each, found) for each in tasks(found)]


def _section(each: LearntTask, found: LearntRun) -> Section:
    judged = each.task.is_judged
    tables = [verdicts.table(each)] if each.trained else []
    charts: tuple[Chart, ...] = ()
    if each.trained and judged:
        charts = tuple(curves.charts(each, looks_of(found.run.plan)))
    elif each.trained:
        charts = (recall.chart(each),)
    said = (each.task.says, _problems(each))
    more = (verdicts.sentence(each), verdicts.explanation(each)) if judged else ()
    return Section(
        id=each.task.name,
        heading=f"Learning {each.task.name}",
        sentences=(*said, *(more if judged else recall.sentences(each))),
        charts=charts,
        tables=(*tables, *([verdicts.not_trained(each)] if each.untrained else [])),
    )


def _problems(each: LearntTask) -> str:
    texts = dict.fromkeys(str(row.training.problem) for row in each.rows)
    return f"Attention inside: {'; '.join(texts)}."
