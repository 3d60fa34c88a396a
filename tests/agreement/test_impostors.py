"""Wrong implementations: one full check rejects each of them."""

from __future__ import annotations

import re

import pytest

import impls
from impls.interface import Problem
from suites.agreement.checker import Checker
from suites.agreement.probes import all_probes
from suites.measure import timing
from tests.agreement import rejecting
from tests.agreement.impostors import Impostor, caches, found_in, lengths

IMPOSTORS = tuple(found_in(*rejecting.MODULES))


@pytest.mark.parametrize("impostor", IMPOSTORS, ids=lambda each: str(each.implementation))
def test_a_full_check_rejects_an_impostor_with_the_reason(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "QUICK_MS", float("inf"))  # however busy the machine is
    cell = impostor.rejections[0]
    checker = rejecting.all_probes(cell.problem)
    assert re.search(cell.because, rejecting.verdict(checker, impostor.implementation))


def test_impostors_are_many_and_each_has_its_name() -> None:
    names = [str(each.implementation) for each in IMPOSTORS]
    assert len(set(names)) == len(names) >= 170
    assert all(each.rejections for each in IMPOSTORS)


def test_every_probe_that_finds_faults_has_an_impostor() -> None:
    used = {cell.by for each in IMPOSTORS for cell in each.rejections}
    elsewhere = {
        *("repeatability", "equal_repeats", "batch_independence"),  # find no fault
        "unsampled_rows",  # test_unsampled_rows.py
        "read_only_inputs",  # ends the process: tests/engine/test_deaths.py
    }
    assert set(all_probes()) == (used - {""}) | elsewhere


def test_an_impostor_that_writes_to_the_bias_does_not_affect_the_next_check() -> None:
    both = Checker(Problem.parse("h4 t33 d16 causal alibi"), seed=7)
    both.check(caches.bias_scaled_in_place_uncounted.implementation)
    (naive,) = impls.select(["naive"], impls.load())
    assert both.check(naive).fault == ""


@pytest.mark.parametrize(
    "impostor",
    [lengths.gradients_in_the_same_memory, lengths.gradients_of_the_latest_forward_when_long],
    ids=lambda each: str(each.implementation),
)
def test_slow_calls_in_training_are_interleaved_with_others(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "QUICK_MS", 0.0)
    for cell in impostor.rejections:
        checker = rejecting.all_probes(cell.problem)
        assert re.search(cell.because, rejecting.verdict(checker, impostor.implementation))
