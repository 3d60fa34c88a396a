"""Rounds: every implementation once, in an order that favours none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from suites.measure.timing import (
    LEAD_IN_BELOW_MS,
    Clock,
    calls_for,
    sample,
)

FEWEST, MOST = 2, 10


@dataclass(slots=True)
class Arm:
    """One implementation in the rounds.

    call      one call of it
    call_ms   what a call takes, from warming up
    times_ms  the samples, one a round: milliseconds for one call
    faults    minor page faults during each sample
    """

    name: str
    call: Callable[[], object]
    call_ms: float
    times_ms: list[float] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """Calls in one sample."""
        return calls_for(self.call_ms)

    @property
    def leads_in(self) -> bool:
        """Whether an untimed call goes before each sample."""
        return self.call_ms < LEAD_IN_BELOW_MS

    @property
    def round_ms(self) -> float:
        """What one round costs for this arm."""
        return self.call_ms * (self.calls + self.leads_in)


def orders(arms: int, random: Random) -> Iterator[list[int]]:
    """Endless orders of the arms: cyclic Latin squares, each from a permutation drawn anew.

    Within a square every arm stands once at every place; two arms make ABBA.
    """
    while arms:
        drawn = random.sample(range(arms), arms)
        for shift in range(arms):
            yield drawn[shift:] + drawn[:shift]


def rounds_within(budget_ms: float, arms: Sequence[Arm]) -> int:
    """How many rounds a budget pays for: 2 to 10."""
    cost_ms = sum(arm.round_ms for arm in arms)
    return max(FEWEST, min(MOST, int(budget_ms / max(cost_ms, 1e-3))))


def run_rounds(
    arms: Sequence[Arm],
    rounds: int,
    clock: Clock,
    random: Random,
    *,
    announce: Callable[[str], None],
    page_faults: Callable[[], int],
) -> None:
    """Take one sample of every arm in each round, and keep it with the arm.

    announce     told whose turn it is, before anything of it runs
    page_faults  the process's minor page faults so far
    """
    order = orders(len(arms), random)
    for _ in range(rounds):
        for index in next(order):
            arm = arms[index]
            announce(arm.name)
            if arm.leads_in:
                arm.call()
            before = page_faults()
            arm.times_ms.append(sample(arm.call, arm.calls, clock))
            arm.faults.append(page_faults() - before)
