"""The process of each implementation of a plan."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from suites.records.plan import AGAIN, FEWEST_SPLIT, Entry
from suites.request import options
from suites.request.planning import Request, plan_of
from suites.request.processes import assigned, with_pythons
from suites.request.suites import named
from tests.saved_run import MACHINE

ENTRIES = (Entry(name="one"), Entry(name="two"), Entry(name="three", apart="its pool"))


def test_those_that_declare_it_and_those_that_are_named_have_a_process_of_their_own() -> None:
    found = {each.name: each.process for each in assigned(ENTRIES, ("two",))}
    assert found == {"one": "", "two": "two", "three": "three"}


def test_an_unknown_name_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"--apart 'four' is none of .*: one, two, three"):
        assigned(ENTRIES, ("four",))


def test_a_plan_of_several_processes_has_at_least_five_sessions() -> None:
    suite = replace(named("quick"), sessions=3)
    one, several = (
        plan_of(Request(suite=suite), MACHINE, entries, 2) for entries in (ENTRIES[:2], ENTRIES)
    )
    assert (one.sessions, one.fewest_sessions) == (3, 3)
    assert (several.sessions, several.fewest_sessions) == (FEWEST_SPLIT, FEWEST_SPLIT)
    check = Request(suite=named("agreement"))
    assert plan_of(check, MACHINE, ENTRIES, 2).sessions == 0
    few = Request(suite=suite, settings={"sessions": 2})
    assert plan_of(few, MACHINE, ENTRIES[:2], 2).sessions == 2
    with pytest.raises(ValueError, match="--sessions is 2, and implementations have processes"):
        plan_of(few, MACHINE, ENTRIES, 2)


def test_the_process_of_the_baseline_leads_and_another_has_the_baseline_again() -> None:
    request = Request(suite=named("quick"), against="three")
    plan = plan_of(request, MACHINE, ENTRIES, 2)
    groups = plan.processes(["one", "two", "three"], "cpu")
    assert groups == {"three": ["three"], "": ["one", "two"], AGAIN: ["three"]}
    assert list(groups) == ["three", "", AGAIN]
    assert plan.processes(["one", "two"], "cpu") == {"": ["one", "two"]}


def test_the_baseline_is_timed_again_with_its_own_python() -> None:
    elsewhere = Entry(name="four", process="by /opt/python", python="/opt/python")
    request = Request(suite=named("quick"), against="four")
    plan = plan_of(request, MACHINE, (*ENTRIES[:2], elsewhere), 2)
    assert plan.pythons == {"by /opt/python": "/opt/python", AGAIN: "/opt/python"}
    assert plan_of(Request(suite=named("quick")), MACHINE, ENTRIES, 2).pythons == {}


def test_another_python_is_another_process_also_for_a_revision() -> None:
    specs = ["a=sdpa_flash", "b=k.py@HEAD~1"]
    own, pythons = with_pythons(specs, {"b": "/opt/python"}, {specs[1]: "k.py@1234567"})
    assert own == {specs[1]: "k.py@1234567 by /opt/python"}
    assert pythons == {"k.py@1234567 by /opt/python": "/opt/python"}
    with pytest.raises(ValueError, match="--python names 'c'; the implementations are a, b"):
        with_pythons(specs, {"c": "/opt/python"}, {})


def test_the_path_of_a_python_is_checked(tmp_path: Path) -> None:
    found = options.parse({"--python": [f"b={sys.executable}"]})["--python"]
    assert found == (("b", sys.executable),)
    for text in ("b", "b=", f"b={tmp_path}", "b=/no/such/python"):
        with pytest.raises(ValueError, match="--python is"):
            options.parse({"--python": [text]})
