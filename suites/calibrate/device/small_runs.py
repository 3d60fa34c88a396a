"""Runs of the engine within a step: a request is planned, carried out, and its records returned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from impls.interface import Problem
from suites import conducting
from suites.calibrate.device.figure import Figure, Target
from suites.engine.time_left import TimeLeft
from suites.records.record import ANSWERS, Record
from suites.request.planning import Request
from suites.request.suites import named


@dataclass(slots=True)
class Progress:
    """Notes the forecast at each problem, with the time.

    forecasts  seconds on the clock, and the forecast of the seconds left then
    """

    forecasts: list[tuple[float, TimeLeft]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

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

    specs     implementations; None is all
    settings  of the plan
    """
    request = Request(
        suite=named("quick"),
        specs=specs,
        problems=tuple(f"{each} {target.device}" for each in problems),
        settings=settings,
    )
    with TemporaryDirectory(prefix="attnbench-") as folder:
        url = f"sqlite:///{folder}/runs.db"
        return conducting.begin(request, url, "selftest", progress or Progress(), None).records


def answered(record: Record) -> Figure:
    """The result of a record: anything but a fault is expected."""
    return Figure(
        name=f"session {record.session}, {record.implementation} on {record.problem}",
        value=": ".join(filter(None, (record.status, record.reason))),
        expected=f"one of {', '.join(ANSWERS)}",
        reason="an implementation may refuse a problem by its Limits, and must not fail on it",
        holds=record.status in ANSWERS,
    )
