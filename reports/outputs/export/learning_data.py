"""Results of learning, as data for programs."""

from __future__ import annotations

from typing import Any, Final

from reports.analysis.learning.learnt import LearntTask, Row, tasks
from reports.outputs.export.json_data import plain
from reports.views.learning import page as views
from suites.learning.gate import FACTOR, JUDGED_STEPS
from suites.records.codec import to_data
from suites.training import LearntRun

FORMAT: Final = "attnbench learning"
VERSION: Final = 1


def of_learning(found: LearntRun) -> dict[str, Any]:
    """The verdicts, and every training with its losses, as docs/learning.md describes it."""
    run = found.run
    data: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "version": VERSION,
            "run": run.name,
            "command": run.command,
            "started": run.started,
            "ended": run.ended,
            "machine": run.machine,
            "answers": views.sentences(found),
            "faults": [f"{each.said}: {each.why}" for each in views.fault_rows(found)],
            "factor": FACTOR,
            "judged_steps": JUDGED_STEPS,
            "tasks": list(map(_task, tasks(found))),
        }
    )
    return data


def _task(found: LearntTask) -> dict[str, Any]:
    return {
        "task": found.task.name,
        "says": found.task.says,
        "honest": list(found.gate.honest),
        "allowed": found.gate.allowed if found.task.is_judged else None,
        "trainings": list(map(_row, found.rows)),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "passes": row.passes,
        "difference": row.difference,
        "panel": row.panel,
        **to_data(row.training),
    }
