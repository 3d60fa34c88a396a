"""The difference between a script and a session in foretold savings."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy.special import stdtrit

from reports.analysis.run_analysis import Analysis
from reports.analysis.sums import contexts
from reports.analysis.sums.estimates import Saving
from suites.records.cases import Case, Step
from tests.reports.analysis.test_steps import CASES, STEP, TOOK, noisy
from tests.saved_run import timed_run

QUANTILE = float(stdtrit(contexts.PAIRS, 0.975))
ONE = (CASES[0],)


def saving(cases: tuple[Case, ...], *, recorded: bool = True) -> Saving:
    """Of chunked in place of sdpa_flash for the first case."""
    steps = (Step(name=STEP, took_ms=(50.0, 51.0)),) if recorded else ()
    (row,) = Analysis(*timed_run(noisy, cases, steps=steps)).steps
    if not recorded:
        return next(each.saving for each in row.alone if each.name == "chunked" and each.saving)
    return next(each.saving for each in row.single_changes if each.name == "chunked")


def half(found: Saving) -> float:
    assert found.ms.low is not None
    assert found.ms.high is not None
    return (found.ms.high - found.ms.low) / 2


def test_the_scatter_of_both_implementations_joins_the_interval_of_a_script() -> None:
    case = ONE[0]
    now, then = (case.count * TOOK[case.problem, name] for name in ("sdpa_flash", "chunked"))
    expected = QUANTILE * contexts.SCATTER * math.hypot(now, then)
    plain = half(saving(ONE, recorded=False))
    assert half(saving(ONE)) == pytest.approx(math.hypot(plain, expected), rel=0.03)


def test_calls_that_took_another_time_in_the_script_widen_it() -> None:
    far = replace(ONE[0], took_ms=1.3 * TOOK[ONE[0].problem, "sdpa_flash"])
    near = replace(ONE[0], took_ms=1.01 * TOOK[ONE[0].problem, "sdpa_flash"])
    ratio = half(saving((far,))) / half(saving((near,)))
    assert ratio == pytest.approx(math.log(1.3) / contexts.SCATTER, rel=0.1)


def test_each_implementation_is_a_change_of_its_own_for_each_problem() -> None:
    steps = (Step(name=STEP),)
    (row,) = Analysis(*timed_run(noisy, CASES, steps=steps)).steps
    found = {(each.cases, each.name): each.saving.ms.value for each in row.single_changes}
    assert set(found) == {(c, n) for c in ((0,), (1,)) for n in ("chunked", "naive")}
    assert found[(1,), "chunked"] == pytest.approx(12 * (1.5 - 0.5), rel=0.05)
    assert found[(0,), "chunked"] == pytest.approx(4 * (2.0 - 3.0), rel=0.05)
