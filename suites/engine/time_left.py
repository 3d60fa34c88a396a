"""The forecast of the time that a run still takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from suites.records.plan import Plan


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """A forecast of the seconds until the last record of a run.

    is_most  whether it is an upper bound: the budget or a precision may end the run earlier
    """

    seconds: float
    is_most: bool = False


def time_left(
    plan: Plan, session: int, *, elapsed_s: float, phase_s: float, session_s: float
) -> TimeLeft:
    """The time left while a session is at work; session 0 is the check.

    elapsed_s  since the run began
    phase_s    forecast of the rest of this session
    session_s  forecast of one later session
    """
    later = len(plan.session_numbers) - session
    if plan.enough_s is not None and session_s > 0:
        fitting = math.floor((plan.enough_s - elapsed_s - phase_s) / session_s)
        later = min(later, max(fitting, plan.fewest - session, 0))
    whole_s = phase_s + session_s * later
    budget_s = math.inf if plan.budget_s is None else max(0.0, plan.budget_s - elapsed_s)
    is_most = plan.precision is not None or whole_s > budget_s
    return TimeLeft(min(whole_s, budget_s), is_most)
