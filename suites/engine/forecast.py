"""What a call will take, judged by the sizes already measured; and what fits a budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from typing import Final

from impls.interface import Problem
from suites.measure.rounds import FEWEST
from suites.measure.timing import LONG_MS, QUICK_MS, SAMPLE_MS, WARM_MS
from suites.records.plan import Plan
from suites.records.record import CHECK, Record, Status

PRIOR_S: Final = 3.0
"""Seconds for which a forecast is believed before any is known to be off."""

Pair = tuple[str, str]
"""A problem and an implementation, both as printed."""

BUDGET: Final = "(--budget)"
"""Ends the reason of what a budget did not hold: no word on what an implementation can do."""
CHECK_CALLS: Final = 3
QUICK_CALLS: Final = 10
"""Calls that a check takes at a problem's own size, and where they are quick."""
CHECK_MS: Final = 50.0
"""What the check of a pair takes besides calls."""
FIRST_CHECK_S: Final = 0.3
"""And what the first of an implementation takes more, with a mask and a dtype: hard inputs."""
GUESSED_NS: Final = 0.02
"""What a call takes for a score and a number of the head's, before any is known."""
SESSION_MS, TOGETHER_MS = 30.0, 100.0
"""What a timed session takes besides for a pair, and for a problem."""
OVERRUN: Final = 1.5
"""Rounds take so many times what was planned for them: calls are slower after others than warm."""
REFERENCE_NS: Final = 250.0
"""References and bounds of attention, layers and other functions take about this, all together, for
one visible score entry, three times that in training."""
PLAIN_NS: Final = 4.0
"""And this an entry of the plain answer that other rows are held against."""


class Forecast:
    """Time and memory of calls not yet made, from the check's records of smaller problems."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._known: dict[tuple[str, Problem], dict[tuple[int, int], Record]] = defaultdict(dict)
        self._stopped: dict[tuple[str, Problem], list[Record]] = defaultdict(list)
        self._told: dict[tuple[str, Problem], dict[tuple[str, str], float | None]] = {}
        for record in records:
            self.learn(record)

    def learn(self, record: Record) -> None:
        """Take in a record of the check; others say nothing of what a first call takes."""
        if record.session != CHECK:
            return
        problem = _parsed(record.problem)
        series = (record.implementation, _family(problem))
        self._told.pop(series, None)
        if record.spent_ms is not None:
            self._known[series][problem.key_length, problem.query_heads] = record
        elif record.status in ("timed_out", "out_of_memory") and BUDGET not in record.reason:
            self._stopped[series].append(record)

    def stopped(self, pair: Pair) -> Record | None:
        """A problem of the same kind, no longer and with no more heads, that broke a limit."""
        problem = _parsed(pair[0])
        for record in self._stopped.get((pair[1], _family(problem)), ()):
            other = _parsed(record.problem)
            if (
                other.key_length <= problem.key_length
                and other.query_heads <= problem.query_heads
                and other.batch <= problem.batch
            ):
                return record
        return None

    def call_ms(self, pair: Pair) -> float | None:
        """Milliseconds of one call; None while no smaller problem is known."""
        return self._foretold(pair, "spent_ms")

    def peak_bytes(self, pair: Pair) -> float | None:
        """Bytes of one call; None while no smaller problem is known."""
        return self._foretold(pair, "peak_bytes")

    def first_s(self, pairs: Iterable[Pair]) -> float:
        """Seconds that checks of these take more, since some are the first of their kind."""
        kinds = {(name, _family(_parsed(problem))) for problem, name in pairs}
        return FIRST_CHECK_S * len(kinds - self._known.keys())

    def is_near(self, pair: Pair) -> bool:
        """Whether a problem of half the length, or more, is known with a quarter of the heads."""
        problem = _parsed(pair[0])
        known = self._known.get((pair[1], _family(problem)), {})
        return any(
            length <= problem.key_length <= 2 * length and heads <= problem.query_heads <= 4 * heads
            for length, heads in known
        )

    def _foretold(self, pair: Pair, field: str) -> float | None:
        """What was worked out for the pair since its series was last learnt of; thousands ask."""
        told = self._told.setdefault((pair[1], _family(_parsed(pair[0]))), {})
        if (pair[0], field) not in told:
            least = _exponent_of_pairs(_parsed(pair[0])) if field == "spent_ms" else 0.0
            told[pair[0], field] = self._grown(pair, field, least)
        return told[pair[0], field]

    def _grown(self, pair: Pair, field: str, least_exponent: float) -> float | None:
        """The largest known size within the problem's, grown to it.

        Lengths grow with the exponent seen between the two longest known ones, up to 2 (and 2 when
        there is but one), heads in proportion.
        """
        problem = _parsed(pair[0])
        known = self._known.get((pair[1], _family(problem)), {})
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


def foreseen(forecast: Forecast, pair: Pair, plan: Plan) -> tuple[Status, str] | None:
    """The status and reason of a problem that would break a limit; None when it would not."""
    inputs = 3 * _parsed(pair[0]).fewest_bytes  # as they are drawn, and the two sets handed over
    if inputs > plan.memory_limit:
        return "out_of_memory", (
            f"foreseen: its inputs alone take {inputs / 2**30:.1f} GiB, "
            f"the limit is {plan.memory_limit / 2**30:.1f} GiB (--memory-limit)"
        )
    if stopped := forecast.stopped(pair):
        return stopped.status, f"foreseen: {stopped.problem} was already too much for it"
    if not forecast.is_near(pair):
        return None  # too far from anything known for a claim; the limits themselves will tell
    call_ms, peak = forecast.call_ms(pair), forecast.peak_bytes(pair)
    if _parsed(pair[0]).device != "cpu":
        peak = None  # the device's own allocator says when it is full
    if peak is not None and peak > plan.memory_limit:
        return "out_of_memory", (
            f"foreseen: would add about {peak / 2**30:.1f} GiB by its growth so far, "
            f"the limit is {plan.memory_limit / 2**30:.1f} GiB (--memory-limit)"
        )
    if call_ms is not None and call_ms * CHECK_CALLS / 1e3 > plan.time_limit_s:
        return "timed_out", (
            f"foreseen: one call would take about {call_ms / 1e3:.0f} s by its growth so far, "
            f"the limit for all calls on a problem is {plan.time_limit_s:g} s (--time-limit)"
        )
    return None


def session_s(forecast: Forecast, pair: Pair, beside: int, round_budget_ms: float) -> float:
    """Seconds that one timed session of a pair takes.

    beside           pairs of the problem, which share what it takes as a whole
    round_budget_ms  what its rounds are planned to take
    """
    call_ms = _call_ms(forecast, pair)
    if call_ms > LONG_MS:
        return 2 * call_ms / 1e3
    alone_ms = SESSION_MS + TOGETHER_MS / beside
    if call_ms > WARM_MS:
        return (alone_ms + 2.5 * call_ms) / 1e3  # the first, one round, and a part of the twin
    share_ms = OVERRUN * round_budget_ms / beside
    rounds_ms = FEWEST * (call_ms + max(call_ms, SAMPLE_MS))
    return (alone_ms + WARM_MS + call_ms + max(rounds_ms, share_ms)) / 1e3


def check_s(forecast: Forecast, pair: Pair, beside: int) -> float:
    """Seconds that the check of a pair takes, with its part of the references.

    beside  pairs of the problem, which share these
    """
    problem = _parsed(pair[0])
    every = problem.visible_pairs * problem.query_heads
    entries = min(every, 1 << 23)
    reference_s = entries * REFERENCE_NS * (3 if problem.training else 1) / 1e9
    reference_s += min(every, 1 << 27) * PLAIN_NS / 1e9
    call_ms = _call_ms(forecast, pair)
    calls = QUICK_CALLS if call_ms < QUICK_MS else CHECK_CALLS
    return reference_s / beside + (CHECK_MS + calls * call_ms) / 1e3


@dataclass(slots=True)
class Pace:
    """How many times what was foretold tasks of a kind have taken so far, on this machine.

    foretold_s, took_s  sums over those that are done
    """

    foretold_s: float = 0.0
    took_s: float = 0.0

    def learn(self, foretold_s: float, took_s: float) -> None:
        """Take in a task that is done."""
        self.foretold_s += foretold_s
        self.took_s += took_s

    @property
    def factor(self) -> float:
        """What a forecast is to be multiplied by."""
        return (PRIOR_S + self.took_s) / (PRIOR_S + self.foretold_s)


def cheapest(
    costs_s: Mapping[Pair, float], available_s: float, first: Container[Pair] = ()
) -> set[Pair]:
    """The pairs that fit what is available, the cheapest first: the most answers for the time.

    first  those that go before all others
    """
    fitting: set[Pair] = set()
    for pair in sorted(costs_s, key=lambda each: (each not in first, costs_s[each])):
        available_s -= costs_s[pair]
        if available_s < 0:
            break
        fitting.add(pair)
    return fitting


def _call_ms(forecast: Forecast, pair: Pair) -> float:
    """Milliseconds of one call as foretold, or guessed by its size alone."""
    known = forecast.call_ms(pair)
    return size(pair[0]) * GUESSED_NS / 1e6 if known is None else known


def size(text: str) -> int:
    """What the slowest work through: every score, hidden ones too, times the head's numbers.

    Orders problems from small to large.
    """
    problem = _parsed(text)
    scores = problem.query_length * problem.key_length * problem.query_heads * problem.batch
    return scores * problem.head_dim * (3 if problem.training else 1)


@lru_cache(maxsize=65536)
def _parsed(text: str) -> Problem:
    return Problem.parse(text)


@lru_cache(maxsize=65536)
def _family(problem: Problem) -> Problem:
    """The problem without its length and heads: what may be compared for growth."""
    mask = replace(problem.mask, padding=None, documents=None)
    return replace(problem, query_length=1, key_length=1, query_heads=1, key_heads=1, mask=mask)


@lru_cache(maxsize=65536)
def _exponent_of_pairs(problem: Problem) -> float:
    """How the visible area grows per doubling: no call can grow slower for ever."""
    half = max(1, problem.key_length // 2)
    smaller = replace(problem.mask, padding=None, documents=None).visible_pairs(1, half, half)
    full = replace(problem.mask, padding=None, documents=None).visible_pairs(1, 2 * half, 2 * half)
    return log(full / max(smaller, 1)) / log(2) if full else 1.0
