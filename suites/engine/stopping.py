"""When a problem is known precisely enough: sessions stop on precision, never on significance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from impls.interface import Problem
from suites.records.plan import Plan
from suites.records.record import Record
from suites.stats.intervals import Interval, over_sessions
from suites.stats.pairing import pair

Sessions = dict[int, Record]


def settled(plan: Plan, records: Iterable[Record], session: int) -> set[Problem]:
    """The problems that a session need not time again.

    Every ratio to the baseline, with this session's number of threads, has an interval of at most
    the plan's precision to either side, after the fewest sessions. Ratios across panels count where
    the plan has them.
    """
    if plan.precision is None:
        return set()
    numbers = {n for n in plan.session_numbers if plan.threads_of(n) == plan.threads_of(session)}
    timed: dict[Problem, dict[str, Sessions]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        if record.session in numbers and record.times_ms:
            timed[record.problem][record.implementation][record.session] = record
    return {problem for problem, found in timed.items() if _is_precise(plan, problem.device, found)}


def _is_precise(plan: Plan, device: str, timed: Mapping[str, Sessions]) -> bool:
    panels = list(plan.panels(timed).values())
    if plan.across and plan.baseline in timed:
        panels.append(list(timed))
    return all(_panel_is_precise(plan, device, {n: timed[n] for n in names}) for names in panels)


def _panel_is_precise(plan: Plan, device: str, timed: Mapping[str, Sessions]) -> bool:
    if min(map(len, timed.values())) < plan.fewest_sessions:
        return False
    baseline = plan.baseline_of(timed, device)
    return all(
        _half_width(timed[baseline], found) <= (plan.precision or 0)
        for name, found in timed.items()
        if name != baseline
    )


def _half_width(base: Sessions, other: Sessions) -> float:
    """Half-width of the interval of a ratio; infinite when there is no interval."""
    found = over_sessions(pair(base.values(), other.values()).log_ratios)
    return found.half_width if isinstance(found, Interval) else float("inf")
