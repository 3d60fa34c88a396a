"""Wrong implementations, every one of which the check has to reject, and say why."""

from __future__ import annotations

import re
from functools import cache

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker
from suites.measure import timing
from tests.agreement.impostors import (
    Impostor,
    forms,
    found_in,
    gradients,
    halves,
    lengths,
    masks,
    memories,
    places,
    scores,
)

IMPOSTORS = tuple(found_in(forms, gradients, halves, lengths, masks, memories, places, scores))
REJECTIONS = [(each.implementation, *case) for each in IMPOSTORS for case in each.rejections]


@cache
def checker(problem: str) -> Checker:
    """One for all: its references are computed once."""
    return Checker(Problem.parse(problem), seed=7)


def verdict(implementation: Implementation, problem: str) -> str:
    """What the check says of it; an exception is what its record would say."""
    try:
        return checker(problem).check(implementation).fault
    except (RuntimeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.fixture(autouse=True)
def _however_busy_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only quick calls are asked is asked all the same."""
    monkeypatch.setattr(timing, "QUICK_MS", float("inf"))


@pytest.mark.parametrize(("impostor", "problem", "because"), REJECTIONS, ids=str)
def test_an_impostor_is_rejected_with_the_reason(
    impostor: Implementation, problem: str, because: str
) -> None:
    assert re.search(because, verdict(impostor, problem))


def test_impostors_are_many_and_each_has_its_name() -> None:
    names = [str(each.implementation) for each in IMPOSTORS]
    assert len(set(names)) == len(names) >= 45


def test_one_that_writes_to_the_bias_does_not_spoil_it_for_the_next() -> None:
    both = Checker(Problem.parse("h4 t33 d16 causal alibi"), seed=7)
    both.check(memories.bias_scaled_in_place_uncounted.implementation)
    (naive,) = impls.select(["naive"], impls.load())
    assert both.check(naive).fault == ""


@pytest.mark.parametrize(
    "impostor",
    [lengths.gradients_in_the_same_memory, lengths.gradients_of_the_latest_forward_when_long],
    ids=lambda each: str(each.implementation),
)
def test_calls_that_are_not_quick_are_asked_for_gradients_after_others(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "QUICK_MS", 0.0)
    for problem, because in impostor.rejections:
        assert re.search(because, verdict(impostor.implementation, problem))
