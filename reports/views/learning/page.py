"""The content of the page of learning: its title, its first sentences, and its sections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from reports.analysis.learning.learnt import LearntTask, Row, faults, tasks
from reports.views import machine
from reports.views.charts.chart import Chart
from reports.views.charts.palette import looks_of
from reports.views.commands import check_command
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


def fault_rows(found: LearntRun) -> list[Fault]:
    """Faults: implementations that fail the gate, then those that failed otherwise."""
    rows = list(faults(found))
    failing = _by_name(row for row in rows if row.passes is False)
    failed = _by_name(row for row in rows if row.is_trained is False)
    entries = {entry.name: entry for entry in found.run.plan.entries}
    return [
        *(_fails(name, own, check_command(entries[name])) for name, own in failing.items()),
        *(_failed(name, own) for name, own in failed.items()),
    ]


def _by_name(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.training.implementation, []).append(row)
    return found


def _fails(name: str, rows: Sequence[Row], command: str) -> Fault:
    tasks = " and ".join(row.training.task for row in rows)
    differences = ", ".join(
        f"{verdicts.small(row.difference)} on {row.training.task}" for row in rows
    )
    why = f"its first losses differ from those of honest implementations by {differences}"
    return Fault(f"{abbreviated(name)} fails the gate on {tasks}", why, command)


def _failed(name: str, rows: Sequence[Row]) -> Fault:
    first = rows[0].training
    tasks = " and ".join(dict.fromkeys(row.training.task for row in rows))
    state = STATUS_WORDS[first.status]
    return Fault(f"{abbreviated(name)} {state} on {tasks}", first.reason, "")


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
    made = verdicts.table if judged else recall.table
    tables = [made(each)] if each.trained else []
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
