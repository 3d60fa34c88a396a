"""Rounds: one sample of every implementation, in balanced order, with interference recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from math import ceil, inf
from random import Random
from statistics import fmean
from typing import Any, Protocol

from suites.measure.timing import LEAD_IN_BELOW_MS, SAMPLE_MS, Call, Sampler, calls_for
from suites.records.record import Conditions

FEWEST, MOST = 2, 250
"""Fewest and most rounds of a problem in one session; 1 when one round exceeds the budget."""
FEWEST_ON_GPU, SHORT_MS = 15, 6.0
"""Fewest rounds on a GPU, and the ms of a turn up to which the budget is extended to them. A turn
of a call below 1 ms takes 3 to 6 ms: a sample of 1 to 2 ms, a spin, and a lead-in call. Ten arms
would have 2 to 4 rounds within 120 ms, and the sign test needs 6."""
WATCHED_MS = 50.0
"""Rounds share one reading of the machine until they last this many ms: a reading costs 2 ms."""
FEWEST_IN_LAYERS, MOST_TIMES_BUDGET = 5, 4.0
"""Fewest rounds on the problems of a recorded script, up to this multiple of their budget: savings
are sums of their differences."""
REPEATS = 2
"""Most repeats of disturbed rounds."""
TAIL_MOST = 1000
"""Most rounds where every sample is one call, for percentiles. Ten of so many calls are above p99,
and the ends of its interval are the 4th and the 18th slowest call; 368 are the least."""


Sampling = Callable[["Arm"], AbstractContextManager[Any]]
"""Makes the context of a sample of an arm; its clock starts within and stops within."""


@dataclass(slots=True)
class Arm:
    """One implementation in the rounds, or the twin of one.

    calls      the same call on different inputs, used in rotation
    call_ms    time of a call after the warm-up
    times_ms   samples, one for each round tried: milliseconds of one call
    faults     minor page faults during each sample
    energy_mj  millijoules of each sample; empty where they are not measured
    sample_ms  least length of a sample
    together   calls that are timed as a whole, as those of a CUDA graph
    reads_all  whether lead-in calls read all inputs, so that their caches are the same in every
               process: arms of one process read the same inputs
    sampling   the context of every sample, without its lead-in calls
    """

    name: str
    calls: Sequence[Call]
    call_ms: float
    sampler: Sampler
    times_ms: list[float] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    energy_mj: list[float] = field(default_factory=list)
    sample_ms: float = SAMPLE_MS
    together: int = 1
    reads_all: bool = False
    sampling: Sampling = nullcontext

    @property
    def count(self) -> int:
        """Calls in one sample."""
        return ceil(calls_for(self.call_ms, self.sample_ms) / self.together) * self.together

    @property
    def leads_in(self) -> bool:
        """Whether an untimed lead-in call precedes each sample."""
        return self.call_ms < LEAD_IN_BELOW_MS

    @property
    def lead_ins(self) -> Sequence[Call]:
        """The untimed calls that precede each sample."""
        if not self.leads_in:
            return ()
        return self.calls if self.reads_all else self.calls[-1:]

    @property
    def round_ms(self) -> float:
        """Milliseconds of its turn in a round: sample, lead-in call, flushes and spins."""
        calls_ms = self.call_ms * (self.count + len(self.lead_ins))
        return calls_ms + self.sampler.aside_ms(self.count)

    def again(self) -> Arm:
        """A copy without measurements."""
        return replace(self, times_ms=[], faults=[], energy_mj=[])

    @property
    def call_mj(self) -> float | None:
        """Millijoules of one call; None where a sample's energy was not measured."""
        measured = self.energy_mj and len(self.energy_mj) == len(self.times_ms)
        return fmean(self.energy_mj) / self.count if measured else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many rounds are run.

    rounds     at most, without repeats
    repeats    of disturbed rounds, at most
    budget_ms  of calls: after it no further round begins
    """

    rounds: int
    repeats: int = REPEATS
    budget_ms: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The state of the machine during rounds that share a reading; fields as in Conditions."""

    probe_ms: float
    run_delay_ms: float | None
    involuntary_switches: int
    disturbed: str
    device: dict[str, Any] | None = None


class Gauge(Protocol):
    """Reads the state of the machine around some rounds."""

    def start(self) -> None:
        """Begin before the first of the rounds."""

    def stop(self) -> Moment:
        """End after the last: the state of the machine meanwhile."""


def orders(arms: int, random: Random) -> Iterator[list[int]]:
    """Endless orders of the arms: cyclic Latin squares, each of a new random permutation.

    In a square every arm is once at every position. Two arms give AB BA.
    """
    while arms:
        drawn = random.sample(range(arms), arms)
        for shift in range(arms):
            yield drawn[shift:] + drawn[:shift]


def rounds_within(
    budget_ms: float,
    arms: Sequence[Arm],
    *,
    refresh_ms: float = 0.0,
    fewest_short: int = 0,
    fewest: int = 0,
) -> int:
    """Number of rounds within a budget: 2 to 250, or 1 when one round exceeds it.

    refresh_ms    time of the refresh of the inputs before each round
    fewest_short  rounds to which the budget is extended where turns are short
    fewest        rounds to which it is extended up to MOST_TIMES_BUDGET
    """
    cost_ms = refresh_ms + sum(arm.round_ms for arm in arms)
    extended = fewest_short if cost_ms <= SHORT_MS * len(arms) else 0
    paid = int(MOST_TIMES_BUDGET * budget_ms / max(cost_ms, 1e-3))
    extended = max(extended, min(fewest, paid))
    if cost_ms > budget_ms and not extended:
        return 1
    return max(FEWEST, extended, min(MOST, int(budget_ms / max(cost_ms, 1e-3))))


def schedule(
    budget_ms: float,
    arms: Sequence[Arm],
    *,
    single: bool,
    refresh_ms: float = 0.0,
    fewest_short: int = 0,
    fewest: int = 0,
) -> Schedule:
    """The rounds of a problem within a budget; see `rounds_within`.

    single  for percentiles of single calls: up to 1000 rounds, and no repeats, which would give
            disturbed calls more weight than they had
    """
    if single:
        return Schedule(TAIL_MOST, repeats=0, budget_ms=budget_ms)
    rounds = rounds_within(
        budget_ms, arms, refresh_ms=refresh_ms, fewest_short=fewest_short, fewest=fewest
    )
    return Schedule(rounds)


def run_rounds(
    arms: Sequence[Arm],
    planned: Schedule,
    random: Random,
    *,
    gauge: Gauge,
    refresh: Call,
    announce: Callable[[int], None],
    page_faults: Callable[[], int],
) -> Conditions:
    """Take one sample of every arm in each round, and append it to the arm.

    Short rounds share a reading of the machine. Disturbed rounds are repeated as a whole; repeats
    never outnumber the rounds. All attempts are kept, with their disturbance.

    refresh      changes the inputs in place before each round, after the state that the last
                 arm left was verified
    announce     receives the index of an arm before any of its code runs
    page_faults  returns the minor page faults of the process so far
    """
    rounds = planned.rounds
    order = orders(len(arms), random)
    together = min(rounds, ceil(WATCHED_MS / max(sum(arm.round_ms for arm in arms), 1e-3)))
    moments: list[Moment] = []
    for first in range(0, rounds, together):
        count = min(together, rounds - first)
        for _ in range(1 + planned.repeats):
            gauge.start()
            for _ in range(count):
                for place, index in enumerate(next(order)):
                    announce(index)
                    if place == 0:
                        refresh()
                    take(arms[index], page_faults)
            moment = gauge.stop()
            moments += [moment] * count
            if not moment.disturbed or len(moments) + count > 2 * rounds:
                break
        if len(moments) + count > 2 * rounds or sum(map(_spent_ms, arms)) >= planned.budget_ms:
            break
    return _together(moments)


def _spent_ms(arm: Arm) -> float:
    """Milliseconds of an arm's samples and of their lead-in calls, taken to be as long."""
    return sum(arm.times_ms) * (arm.count + len(arm.lead_ins))


def take(arm: Arm, page_faults: Callable[[], int]) -> None:
    """Take one sample of an arm, after its lead-in call, and append it to the arm."""
    for lead_in in arm.lead_ins:
        lead_in()
    with arm.sampling(arm):
        before = page_faults()
        took_ms = arm.sampler.take(arm.calls, arm.count)
        arm.faults.append(page_faults() - before)
    arm.times_ms.append(took_ms)


def nested(*samplings: Sampling) -> Sampling:
    """The contexts, one inside the other; none of them costs nothing."""
    if len(samplings) <= 1:
        return samplings[0] if samplings else nullcontext

    @contextmanager
    def sampling(arm: Arm) -> Iterator[None]:
        with ExitStack() as stack:
            for each in samplings:
                stack.enter_context(each(arm))
            yield

    return sampling


def _together(moments: Sequence[Moment]) -> Conditions:
    return Conditions(
        probe_ms=tuple(each.probe_ms for each in moments),
        run_delay_ms=tuple(each.run_delay_ms for each in moments),
        involuntary_switches=tuple(each.involuntary_switches for each in moments),
        disturbed=tuple(each.disturbed for each in moments),
        device=tuple(each.device for each in moments if each.device is not None),
    )
