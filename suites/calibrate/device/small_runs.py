"""Runs of the engine within a step: a request is planned, carried out, and its records returned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from impls.interface import Problem
from suites.calibrate.device.figure import Figure, Target
from suites.engine.catalogue import cores, open_catalogue
from suites.engine.conductor import Conductor
from suites.engine.local_pool import LocalPool
from suites.engine.time_left import TimeLeft
from suites.records.record import ANSWERS, Record
from suites.records.store import Run, Store, now
from suites.request import planning
from suites.request.planning import Request
from suites.request.suites import named

IN_MEMORY: Final = "sqlite://"


@dataclass(slots=True)
class Progress:
    """Notes the forecast at each problem, with the time.

    forecasts  seconds on the clock, and the forecast of the seconds left then
    """

    forecasts: list[tuple[float, TimeLeft]] = field(default_factory=list)

    def phase(self, text: str, total: int) -> None:
        """A phase begins."""

    def record(self, record: Record) -> None:
        """A record was stored."""

    def problem(self, problem: Problem, left: TimeLeft) -> None:  # noqa: ARG002 - as the engine calls it
        """A problem begins."""
        self.forecasts.append((time.monotonic(), left))


def records(
    target: Target,
    problems: Sequence[str],
    specs: tuple[str, ...] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> list[Record]:
    """The records of a run on the device.

    specs     implementations; None is all but those with a slow start
    settings  of the plan
    """
    request = Request(
        suite=named("quick"),
        specs=specs,
        problems=tuple(f"{each} {target.device}" for each in problems),
        settings=settings,
    )
    progress, threads = progress or Progress(), cores()
    limit_s = settings.get("time_limit_s", planning.TIME_LIMIT_S)
    with LocalPool(limit_s, planning.usual_memory_limit()) as pool:
        found = open_catalogue(planning.specs_of(request), threads=threads, pool=pool)
        plan = planning.plan_of(request, *found, threads)
        run = Run(name="selftest", started=now(), command="selftest", plan=plan, machine=found[0])
        store = Store.open(IN_MEMORY)
        store.begin(run)
        return Conductor(
            run=run, store=store, listener=progress, pool=pool, begins=progress.problem
        ).conduct()


def answered(record: Record) -> Figure:
    """The result of a record: anything but a fault is expected."""
    return Figure(
        name=f"session {record.session}, {record.implementation} on {record.problem}",
        value=": ".join(filter(None, (record.status, record.reason))),
        expected=f"one of {', '.join(ANSWERS)}",
        reason="an implementation may refuse a problem by its Limits, and must not fail on it",
        holds=record.status in ANSWERS,
    )
