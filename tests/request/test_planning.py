from __future__ import annotations

from typing import Any

import pytest

from impls.interface import Limits
from suites.records.plan import Entry, Plan
from suites.request import planning as request
from suites.request.suites import SUITES

ONE, TWO = ("h2 t64 d16",), ("h2 t64 d16", "h2 t128 d16")


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Plans of what is asked for, without a process."""

    def plan(names: str, **asked: Any) -> Plan:
        entries = tuple(
            Entry(
                name=name,
                limits=(Limits(),),
                missing="gone" if name == "gone" else "",
                panel="layers" if name == "layer" else "attention",
            )
            for name in names.split()
        )
        machine = {"devices": [{"device": "cpu"}]}
        monkeypatch.setattr(request, "open_catalogue", lambda *_, **__: (machine, entries))
        return request.prepare(request.Request(suite=SUITES["quick"], **asked))[0]

    return plan


@pytest.mark.parametrize(
    ("names", "problems", "seconds"),
    [
        ("mine base", ONE, request.ENOUGH_S),
        ("mine", ONE, request.ENOUGH_S),
        ("mine base gone", ONE, request.ENOUGH_S),
        ("mine yours base", ONE, 2 * request.ENOUGH_S),
        ("mine yours base", TWO, 4 * request.ENOUGH_S),
    ],
)
def test_sessions_of_problems_by_themselves_have_their_seconds_for_each_ratio(
    planned: Any, names: str, problems: tuple[str, ...], seconds: float
) -> None:
    plan = planned(names, problems=problems)
    assert (plan.sessions, plan.fewest_sessions) == (SUITES["quick"].sessions, 2)
    assert plan.enough_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("asked", "sessions"),
    [
        ({}, SUITES["quick"].sessions),
        ({"problems": ONE, "sessions": 7}, 7),
        ({"problems": ONE, "budget_min": 1.0}, SUITES["quick"].sessions),
        ({"problems": ONE, "precision": "1%"}, request.MOST_SESSIONS),
    ],
)
def test_whoever_says_how_long_it_may_take_has_all_sessions(
    planned: Any, asked: dict[str, Any], sessions: int
) -> None:
    plan = planned("mine base", **asked)
    assert plan.enough_s is None
    assert plan.sessions == sessions


def test_a_baseline_that_nobody_could_be_compared_with_is_a_mistake(planned: Any) -> None:
    with pytest.raises(ValueError, match=r"^--against 'layer': none of the others computes what"):
        planned("mine layer", problems=ONE, against="layer")
    for names, against in (("layer", "layer"), ("mine base layer", "base")):
        assert planned(names, problems=ONE, against=against).baseline == against
