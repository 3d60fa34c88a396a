"""Forecasts of time and memory from the sizes already measured, and what fits a budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from typing import Final

from impls.interface import Problem
from impls.interface.problem import Fields
from suites.records.plan import Plan
from suites.records.record import CHECK, Cause, Pair, Record, Status

PRIOR_S: Final = 3.0
"""Weight of a forecast, in seconds, against what tasks have taken so far."""
CHECK_CALLS: Final = 3
"""Calls that a check makes at a problem's own size."""
FIRST_CHECK_S: Final = 0.3
"""What the first check of an implementation takes more, per mask and dtype: hard inputs."""

LEAST_WORTH: Final = 1e-9
"""Worth of a problem, ms, that no case has: it comes last."""

Series = tuple[str, Fields]
"""An implementation and the fields that problems of one growth curve share."""


class Forecast:
    """Time and memory of calls not yet made, from the check's records of smaller problems."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._known: dict[Series, dict[tuple[int, int], Record]] = defaultdict(dict)
        self._stopped: dict[Series, list[Record]] = defaultdict(list)
        self._cached: dict[Series, dict[tuple[Problem, str], float | None]] = {}
        for record in records:
            self.learn(record)

    def learn(self, record: Record) -> None:
        """Take in a record of the check; timed sessions say nothing of a first call."""
        if record.session != CHECK:
            return
        problem = record.problem
        series = _series(record.pair)
        self._cached.pop(series, None)
        if record.spent_ms is not None:
            self._known[series][problem.key_length, problem.query_heads] = record
        elif record.status in ("timed_out", "out_of_memory") and record.cause != "budget":
            self._stopped[series].append(record)

    def stopped(self, pair: Pair) -> Record | None:
        """A record of a limit that a problem no larger than this exceeded."""
        problem = pair[0]
        for record in self._stopped.get(_series(pair), ()):
            other = record.problem
            if (
                other.key_length <= problem.key_length
                and other.query_heads <= problem.query_heads
                and other.batch <= problem.batch
            ):
                return record
        return None

    def call_ms(self, pair: Pair) -> float | None:
        """Milliseconds of one call; None while no smaller problem is known."""
        return self._forecast(pair, "spent_ms")

    def peak_bytes(self, pair: Pair) -> float | None:
        """Bytes of one call; None while no smaller problem is known."""
        return self._forecast(pair, "peak_bytes")

    def first_s(self, pairs: Iterable[Pair]) -> float:
        """Seconds that checks of these take more because some are the first of their series."""
        return FIRST_CHECK_S * len({_series(pair) for pair in pairs} - self._known.keys())

    def is_near(self, pair: Pair) -> bool:
        """Whether half of its length or more, with a quarter of its heads or more, is known."""
        problem = pair[0]
        known = self._known.get(_series(pair), {})
        return any(
            length <= problem.key_length <= 2 * length and heads <= problem.query_heads <= 4 * heads
            for length, heads in known
        )

    def _forecast(self, pair: Pair, field: str) -> float | None:
        """The forecast, cached until a record of its series is learnt: it is read often."""
        cached = self._cached.setdefault(_series(pair), {})
        if (pair[0], field) not in cached:
            least = _exponent_of_pairs(pair[0]) if field == "spent_ms" else 0.0
            cached[pair[0], field] = self._grown(pair, field, least)
        return cached[pair[0], field]

    def _grown(self, pair: Pair, field: str, least_exponent: float) -> float | None:
        """The largest known size within the problem's, scaled up to it.

        The exponent of the length is that between the two longest known ones, at most 2, and 2 when
        one is known; heads scale in proportion.
        """
        problem = pair[0]
        known = self._known.get(_series(pair), {})
        wanted = (problem.key_length, problem.query_heads)
        smaller = [s for s in known if s[0] <= wanted[0] and s[1] <= wanted[1]]
        if not smaller:
            return None
        length, heads = max(smaller)
        value = getattr(known[length, heads], field)
        if not value:
            return None if value is None else 0.0
        shorter = max((s for s in known if s[1] == heads and s[0] < length), default=None)
        exponent = 2.0
        if shorter is not None and getattr(known[shorter], field):
            seen = log(value / getattr(known[shorter], field)) / log(length / shorter[0])
            exponent = min(max(least_exponent, seen), 2.0)
        grown: float = value * (wanted[0] / length) ** exponent * wanted[1] / heads
        return grown


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A limit that an implementation would exceed, so that it is not called."""

    status: Status
    cause: Cause
    reason: str

    def record(self, session: int, pair: Pair) -> Record:
        """The record of such a pair."""
        return Record(
            session=session,
            problem=pair[0],
            implementation=pair[1],
            status=self.status,
            cause=self.cause,
            reason=self.reason,
        )


def foreseen(forecast: Forecast, pair: Pair, plan: Plan) -> Foreseen | None:
    """The limit that a problem would exceed; None when it would not, as far as is known."""
    problem = pair[0]
    limit = plan.memory_limit_on(problem.device)
    inputs = 3 * problem.fewest_bytes  # as they are drawn, and two sets of them
    if inputs > limit:
        return _too_large(f"its inputs alone take {inputs / 2**30:.1f} GiB", limit)
    if stopped := forecast.stopped(pair):
        cause: Cause = "foreseen_time" if stopped.status == "timed_out" else "foreseen_memory"
        reason = f"foreseen: {stopped.problem} already exceeded a limit"
        return Foreseen(stopped.status, cause, reason)
    if not forecast.is_near(pair):
        return None  # the known sizes are too far away for a forecast: the limits themselves decide
    call_ms, peak = forecast.call_ms(pair), forecast.peak_bytes(pair)
    if problem.device != "cpu" or plan.attempts:
        peak = None  # a call that fails on a GPU ends nothing else: it is tried
    if peak is not None and peak > limit:
        return _too_large(f"by its growth it would add about {peak / 2**30:.1f} GiB", limit)
    if call_ms is not None and call_ms * CHECK_CALLS / 1e3 > plan.time_limit_s:
        reason = (
            f"foreseen: by its growth one call would take about {call_ms / 1e3:.0f} s, the limit "
            f"for all calls on a problem is {plan.time_limit_s:g} s (--time-limit)"
        )
        return Foreseen("timed_out", "foreseen_time", reason)
    return None


def _too_large(what: str, limit: int) -> Foreseen:
    reason = f"foreseen: {what}, the limit is {limit / 2**30:.1f} GiB (--memory-limit)"
    return Foreseen("out_of_memory", "foreseen_memory", reason)


@dataclass(slots=True)
class Pace:
    """The ratio of what tasks of one kind took to their forecasts, on this machine.

    forecast_s, took_s  sums over the tasks that are done
    """

    forecast_s: float = 0.0
    took_s: float = 0.0

    def learn(self, forecast_s: float, took_s: float) -> None:
        """Take in a task that is done."""
        self.forecast_s += forecast_s
        self.took_s += took_s

    @property
    def factor(self) -> float:
        """What a forecast is to be multiplied by."""
        return (PRIOR_S + self.took_s) / (PRIOR_S + self.forecast_s)


def cheapest(
    costs_s: Mapping[Pair, float],
    available_s: float,
    first: Container[Pair] = (),
    worth: Mapping[Problem, float] | None = None,
) -> set[Pair]:
    """The pairs that fit the available time, the cheapest first: the most records for the time.

    first  pairs that come before all others
    worth  of each problem: a cost counts in relation to it; None: all are worth the same
    """
    fitting: set[Pair] = set()

    def price(pair: Pair) -> tuple[bool, float]:
        return pair not in first, costs_s[pair] / (
            max(worth[pair[0]], LEAST_WORTH) if worth else 1.0
        )

    for pair in sorted(costs_s, key=price):
        available_s -= costs_s[pair]
        if available_s < 0:
            break
        fitting.add(pair)
    return fitting


def size(problem: Problem) -> int:
    """Operations of the slowest implementations: every score, hidden ones too, times D.

    Orders problems from small to large.
    """
    scores = problem.query_length * problem.key_length * problem.query_heads * problem.batch
    return scores * problem.head_dim * (3 if problem.training else 1)


@lru_cache(maxsize=65536)
def _series(pair: Pair) -> Series:
    problem, name = pair
    alike = replace(problem, mask=replace(problem.mask, padding=None, documents=None, rows=None))
    return name, alike.without("length", "heads")


@lru_cache(maxsize=65536)
def _exponent_of_pairs(problem: Problem) -> float:
    """Growth of the visible area per doubling: time cannot grow more slowly for ever."""
    half = max(1, problem.key_length // 2)
    band = replace(problem.mask, padding=None, documents=None, rows=None)
    smaller, full = (band.visible_pairs(1, size, size) for size in (half, 2 * half))
    return log(full / max(smaller, 1)) / log(2) if full else 1.0
