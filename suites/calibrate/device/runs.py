"""The step `runs`: a timed session of problems forward and training, for each kind of result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from suites.calibrate.device import sizes
from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.small_runs import answered, records
from suites.records.record import CHECK, Record

KINDS: Final = ("causal", "causal train")
NAMES: Final = ("naive", "sdpa_flash", "sdpa_efficient", "sdpa_cudnn", "multi_head", "linear")
"""Dense attention, torch's fused kernels, a layer and an approximation; `check` has all others."""
BUDGET_S: Final = 60.0
TIME_LIMIT_S: Final = 20.0
MOST_DISTURBED: Final = 0.2
"""Beyond this part of disturbed rounds the machine is not fit for measuring."""


def figures(target: Target) -> Iterator[Figure]:
    """The result of each implementation; times where it has some; disturbed rounds."""
    problems = [sizes.problem(target, words) for words in KINDS]
    found = records(
        target, problems, NAMES, sessions=1, budget_s=BUDGET_S, time_limit_s=TIME_LIMIT_S
    )
    yield from map(answered, found)
    timed = [each for each in found if each.session != CHECK and each.times_ms]
    yield from map(_time, timed)
    yield from summary(timed)


def _time(record: Record) -> Figure:
    clock = f"ms by {record.clock}, {record.calls_per_sample} calls a sample"
    name = f"{record.implementation} on {record.problem}"
    return Figure(name=name, value=median(record.times_ms), unit=clock)


def summary(timed: Sequence[Record]) -> Iterator[Figure]:
    """Disturbed rounds, and the number of times.

    timed  records with times
    """
    rounds = sum(len(each.times_ms) for each in timed)
    disturbed = sum(each.disturbed_rounds for each in timed)
    yield Figure(
        name="disturbed rounds",
        value=disturbed / rounds if rounds else None,
        expected=f"at most {MOST_DISTURBED:g}",
        reason="more of them need a quieter machine",
        holds=bool(rounds) and disturbed <= MOST_DISTURBED * rounds,
    )
    kinds = {each.problem.training for each in timed}
    yield Figure(
        name="implementations timed",
        value=len(timed),
        expected="some, forward and training",
        reason="every device runs the dense implementations",
        holds=kinds == {False, True},
    )
