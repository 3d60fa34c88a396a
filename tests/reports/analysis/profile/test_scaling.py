"""Growth of operators with the length."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.profile.scaling import Scaling, scalings
from suites.records.profile import Profile
from tests.reports.differences_by_hand import profile, several

LENGTHS = (512, 1024, 2048)
LINE = "impls/mine.py:10 mine"


def problem(length: int, mask: str = "full") -> Problem:
    return Problem.parse(f"h8 t{length} d64 {mask} fp32 cpu")


def of_length(length: int, mask: str = "full", name: str = "mine") -> Profile:
    """bmm grows with T², copy_ with T, exp only runs at longer lengths."""
    scale = length // 512
    took = {(LINE, "aten::bmm"): 100 * scale**2, (LINE, "aten::copy_"): 50 * scale}
    if scale > 1:
        took[LINE, "aten::exp_"] = 10 * scale
    took[LINE, "aten::view"] = 1
    return profile(name, took, problem(length, mask))


def run_of(*profiles: Profile) -> ProfiledRun:
    """Every call takes as long as in its profile, with 1 % between sessions."""
    took = {(each.problem, each.implementation): each.nodes[0].total_ns / 1e6 for each in profiles}
    name = profiles[0].implementation

    def ms(of: Problem, implementation: str, session: int) -> float:
        return took[of, implementation] * (1 + 0.01 * (session * (of.key_length // 512) % 5))

    return several(list(profiles), ms, baseline=name)


def scaling(*profiles: Profile) -> Scaling:
    (found,) = scalings(run_of(*profiles))
    return found


def test_exponents_are_of_the_first_and_the_last_length() -> None:
    found = scaling(*map(of_length, (2048, 512, 1024)))
    assert found.lengths == LENGTHS
    exponents = {each.name: each.exponent for each in found.operators}
    assert exponents["bmm"] == pytest.approx(2.0, abs=0.01)
    assert exponents["copy_"] == pytest.approx(1.0, abs=0.01)


def test_an_operator_that_a_length_lacks_has_no_exponent() -> None:
    (exp,) = (each for each in scaling(*map(of_length, LENGTHS)).operators if each.name == "exp")
    assert exp.took_ms[0] == 0
    assert exp.exponent is None


def test_operators_below_one_percent_everywhere_are_left_out_and_the_longest_is_first() -> None:
    found = scaling(*map(of_length, LENGTHS))
    assert [each.name for each in found.operators] == ["bmm", "copy_", "exp"]


def test_times_are_shares_of_the_measured_time() -> None:
    found = scaling(*map(of_length, LENGTHS))
    (bmm, *_) = found.operators
    assert bmm.shares == pytest.approx((100 / 151, 400 / 521, 1600 / 1841))
    for share, took, each in zip(bmm.shares, bmm.took_ms, found.every, strict=True):
        assert took == pytest.approx(share * each.measured_ms)


def test_the_exponent_of_the_call_is_measured_with_its_interval() -> None:
    found = scaling(*map(of_length, LENGTHS))
    assert found.measured is not None
    assert found.measured.value == pytest.approx(1.80, abs=0.02)
    assert found.measured.sessions == 5


def test_lengths_without_times_have_no_measured_exponent() -> None:
    profiles = tuple(map(of_length, LENGTHS))
    run = run_of(*profiles)
    others = tuple(replace(each, threads=64) for each in profiles)
    (found,) = scalings(ProfiledRun(run.analysis, others))
    assert found.measured is None


def test_one_length_has_no_growth() -> None:
    assert scalings(run_of(of_length(512))) == []


def test_other_masks_and_implementations_are_series_of_their_own() -> None:
    profiles = [
        of_length(length, mask, name)
        for name in ("mine", "yours")
        for mask in ("full", "causal")
        for length in LENGTHS[:2]
    ]
    found = scalings(run_of(*profiles))
    assert [each.implementation for each in found] == ["mine", "mine", "yours", "yours"]


def test_profiles_that_failed_or_are_not_seen_are_left_out() -> None:
    failed = Profile(implementation="mine", problem=problem(1024), threads=2, fault="failed: no")
    assert scalings(ProfiledRun(run_of(of_length(512)).analysis, (of_length(512), failed))) == []
