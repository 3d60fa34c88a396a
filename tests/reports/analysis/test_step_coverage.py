"""How often the 95 % intervals of sums and savings hold the true value, in made-up runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.sums.estimates import Estimate
from reports.analysis.sums.rows import StepRow, StepSum
from suites.records.cases import Case
from tests.saved_run import timed_run

RUNS = 1000
NAMES = ("sdpa_flash", "chunked", "naive")
CASES = tuple(
    Case(problem=Problem.parse(f"h{heads} t512 {mask} fp32 cpu"), step="step", count=count)
    for heads, mask, count in ((1, "full", 3), (2, "full", 1), (1, "causal", 8))
)
_SESSION, _CALL = 0.02, 0.02
"""Standard deviations of the logarithms: of a session as a whole, and of each time in it. The twin
of the baseline is off by as much as the times."""
LEAST = 0.93
"""Share of the runs whose interval holds the truth. It is 0.95 but for chance: 0.007 with so many
runs."""


def made_up(seed: int) -> tuple[StepRow, dict[tuple[Problem, str], float]]:
    """The row of a run, and the true times: implementations differ by a few percent."""
    random = np.random.default_rng(seed)
    true = {(c.problem, n): float(np.exp(random.normal(0, 0.03))) for c in CASES for n in NAMES}
    session = random.normal(0, _SESSION, 6)
    noise = {place: random.normal(0, _CALL, 6) for place in true}

    def ms(of: Problem, name: str, number: int) -> float:
        return float(true[of, name] * np.exp(session[number] + noise[of, name][number]))

    (row,) = Analysis(*timed_run(ms, CASES, names=NAMES, twin=_CALL)).steps
    return row, true


def truth(found: StepSum, true: dict[tuple[Problem, str], float]) -> float:
    """The true time of the implementations of a sum."""
    return sum(c.count * true[c.problem, n] for c, n in zip(CASES, found.names, strict=True))


def holds(interval: Estimate, value: float) -> bool:
    """Whether a value lies inside."""
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= value <= interval.high


def inside() -> Iterator[dict[str, bool]]:
    """The intervals of each run that hold the truth."""
    for seed in range(RUNS):
        row, true = made_up(seed)
        assert row.now
        assert row.mix
        assert row.best
        assert row.mix.saving
        assert row.best.saving
        now = truth(row.now, true)
        yield {
            "now": holds(row.now.time, now),
            "mix": holds(row.mix.time, truth(row.mix, true)),
            "saving of the mix": holds(row.mix.saving.share, 1 - truth(row.mix, true) / now),
            "saving in ms": holds(row.mix.saving.ms, now - truth(row.mix, true)),
            "saving of one": holds(row.best.saving.share, 1 - truth(row.best, true) / now),
        }


def test_intervals_hold_the_true_sums_and_savings() -> None:
    found = list(inside())

    for name in found[0]:
        assert sum(each[name] for each in found) / RUNS >= LEAST, name


LENGTHS = tuple(int(each) for each in np.geomspace(100, 2000, 12))
JAGGED = 0.03
"""Standard deviation of the logarithm by which lengths differ from a smooth curve."""


def interpolated(seed: int) -> tuple[Estimate, float]:
    """A sum over twenty lengths that are not measured, and its true value."""
    random = np.random.default_rng(seed)
    constant, linear, square = random.uniform(0.1, 1, 3)
    session = random.normal(0, _SESSION, 6)
    others = sorted({*random.integers(101, 2000, 20).tolist()} - {*LENGTHS})
    true = {
        length: (constant + linear * length / 500 + square * (length / 500) ** 2)
        * float(np.exp(random.normal(0, JAGGED)))
        for length in (*LENGTHS, *others)
    }
    noise = {length: random.normal(0, _CALL, 6) for length in LENGTHS}

    def ms(of: Problem, _name: str, number: int) -> float:
        length = of.key_length
        return float(true[length] * np.exp(session[number] + noise[length][number]))

    problems = {length: Problem.parse(f"h1 t{length} causal fp32 cpu") for length in true}
    cases = tuple(Case(problem=problems[each], step="step") for each in others)
    measured = [problems[each] for each in LENGTHS]
    (row,) = Analysis(*timed_run(ms, cases, problems=measured, names=NAMES[:1])).steps
    assert row.now
    return row.now.time, sum(true[each] for each in others)


def test_interpolated_sums_hold_the_truth_within_a_fifth() -> None:
    found = [interpolated(seed) for seed in range(60)]

    assert sum(holds(*each) for each in found) / len(found) >= LEAST
    assert all((each.high or 0) - (each.low or 0) < 2 * each.value / 5 for each, _ in found)
