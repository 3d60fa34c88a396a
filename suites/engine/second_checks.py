"""A second check of outputs whose times are beyond the measured ceilings of the machine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Final

from impls.interface import Implementation
from suites.agreement.checker import Checker
from suites.engine.call_limits import preparing
from suites.engine.pipe import Sender
from suites.engine.protocol import Measure
from suites.records.record import Record
from suites.stats import ceilings

BEYOND: Final = 1.5
"""A time beyond this multiple of what the ceilings allow is kept only after a second check."""


def believed(
    made: Record,
    each: Implementation,
    task: Measure,
    sender: Sender,
    limited: Callable[[], AbstractContextManager[None]],
) -> Record:
    """The record; its output is checked on fresh inputs when it is beyond the ceilings.

    limited  the context of a call, with the memory limit
    """
    share = ceilings.share(task.problem, median(made.times_ms), task.ceilings, each.panel)
    if share is None or share <= BEYOND:
        return made
    announced = partial(preparing, sender)
    checker = Checker(task.problem, task.seed + made.session, limited, announced=announced)
    fault = checker.check(each).fault
    if not fault:
        return replace(made, checked_again=True)
    reason = f"{share:.0%} of what this machine can do, and checked again: {fault}"
    return wrong_when_timed(task, made.implementation, reason)


def wrong_when_timed(task: Measure, name: str, reason: str) -> Record:
    """The record of an implementation whose output was wrong in the timed session."""
    return Record(
        session=task.session,
        problem=task.problem,
        implementation=name,
        status="wrong",
        cause="wrong_when_timed",
        reason=reason,
    )
