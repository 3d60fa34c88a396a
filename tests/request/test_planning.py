"""From a request to a plan: sessions, time, baselines, problems and devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Limits, Problem
from suites.records.plan import Entry, Plan
from suites.request import planning
from suites.request.participants import is_meant
from suites.request.planning import Request, plan_of, requested
from suites.request.suites import SUITES

ONE, TWO = ["h2 t64 d16"], ["h2 t64 d16", "h2 t128 d16"]
QUICK = SUITES["quick"]
CORES = 4
MACHINE: dict[str, Any] = {"devices": [{"device": "cpu"}]}
CUDA: dict[str, Any] = {
    "devices": [{"device": "cuda", "capability": [9, 0]}, {"device": "cpu"}],
}
Given = Mapping[str, str | list[str]]


def entries(names: str) -> tuple[Entry, ...]:
    """Implementations by name; `gone` is missing, and `layer` is a layer."""
    return tuple(
        Entry(
            name=name,
            limits=(Limits(),),
            missing="gone" if name == "gone" else "",
            panel="layers" if name == "layer" else "attention",
        )
        for name in names.split()
    )


def planned(names: str, given: Given, machine: Mapping[str, Any] = MACHINE) -> Plan:
    """The plan of the options that were given."""
    return plan_of(requested(QUICK, given), machine, entries(names), CORES)


@pytest.mark.parametrize(
    ("names", "problems", "seconds"),
    [
        ("mine base", ONE, planning.ENOUGH_S),
        ("mine", ONE, planning.ENOUGH_S),
        ("mine base gone", ONE, planning.ENOUGH_S),
        ("mine yours base", ONE, 2 * planning.ENOUGH_S),
        ("mine yours base", TWO, 4 * planning.ENOUGH_S),
    ],
)
def test_sessions_of_typed_problems_have_some_seconds_for_each_ratio(
    names: str, problems: list[str], seconds: float
) -> None:
    plan = planned(names, {"--problem": problems})
    assert (plan.sessions, plan.fewest_sessions) == (QUICK.sessions, 2)
    assert plan.enough_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("given", "sessions"),
    [
        ({}, QUICK.sessions),
        ({"--problem": ONE, "--sessions": "7"}, 7),
        ({"--problem": ONE, "--budget": "1"}, QUICK.sessions),
        ({"--problem": ONE, "--precision": "1%"}, planning.MOST_SESSIONS),
    ],
)
def test_with_an_option_for_the_duration_all_sessions_run(given: Given, sessions: int) -> None:
    plan = planned("mine base", given)
    assert plan.enough_s is None
    assert plan.sessions == sessions


SLOW = (
    *entries("base layer"),
    Entry(name="slow", limits=(Limits(),), slow_start=True),
    Entry(name="absent", missing="not installed", slow_start=True),
    Entry(name="gpu", limits=(Limits(devices=("cuda",)),), slow_start=True),
)


def names_of(suite: str, given: Given) -> tuple[list[str], tuple[str, ...]]:
    """Those that take part, and those that are left out."""
    plan = plan_of(requested(SUITES[suite], given), MACHINE, SLOW, CORES)
    return [each.name for each in plan.entries], plan.left_out


EVERY_PANEL = [s.name for s in SUITES.values() if not (s.slow_starts or s.panels or s.names)]


@pytest.mark.parametrize("suite", EVERY_PANEL)
def test_a_slow_start_is_left_out_and_the_plan_names_it(suite: str) -> None:
    """One that is missing, or refuses every problem, costs no time: it stays, with its reason."""
    assert names_of(suite, {}) == (["base", "layer", "absent", "gpu"], ("slow",))
    every = ["base", "layer", "slow", "absent", "gpu"]
    assert names_of(suite, {"--with-peers": "on"}) == (every, ())


def test_a_slow_start_takes_part_where_it_is_named() -> None:
    assert names_of("quick", {"--impl": ["slow"]})[1] == ()
    assert "slow" in names_of("quick", {"--impl": ["slow"]})[0]
    assert names_of("quick", {"--against": "slow"}) == (
        ["base", "layer", "slow", "absent", "gpu"],
        (),
    )


def test_a_slow_start_takes_part_where_the_suite_names_it_as_a_variant() -> None:
    slow = tuple(replace(each, name="compiled_decode") for each in SLOW if each.name == "slow")
    plan = plan_of(requested(SUITES["decode"], {}), MACHINE, (*SLOW, *slow), CORES)
    names = [each.name for each in plan.entries]
    assert (names.count("compiled_decode"), plan.left_out) == (1, ("slow",))


def test_peers_has_slow_starts_and_attention_alone_unless_others_are_named() -> None:
    assert names_of("peers", {}) == (["base", "slow", "absent", "gpu"], ())
    assert "layer" in names_of("peers", {"--impl": ["layer", "base"]})[0]
    assert "layer" in names_of("peers", {"--against": "layer"})[0]


def test_with_peers_beside_names_is_refused() -> None:
    given: Given = {"--with-peers": "on", "--impl": ["base"]}
    with pytest.raises(
        ValueError, match=r"^--with-peers beside base; .* expected one or the other$"
    ):
        requested(QUICK, given)


def test_a_baseline_of_another_panel_is_accepted_and_the_plan_says_so() -> None:
    for names, against in (
        ("mine layer", "layer"),
        ("layer", "layer"),
        ("mine base layer", "base"),
    ):
        plan = planned(names, {"--problem": ONE, "--against": against})
        assert (plan.baseline, plan.across) == (against, True)
    assert not planned("mine layer", {"--problem": ONE}).across


def test_the_plan_has_the_names_given_with_impl_and_not_that_of_against_alone() -> None:
    assert planned("mine base", {"--problem": ONE}).named == ()
    one: Given = {"--impl": ["mine"], "--against": "base"}
    assert planned("mine base", one).named == ("mine",)
    both: Given = {"--impl": ["mine", "base"], "--against": "base"}
    assert planned("mine base", both).named == ("mine", "base")
    swept: Given = {"--impl": ["a[block=*]"], "--against": "base"}
    assert planned("a[block=1] a[block=2] base", swept).named == ("a[block=1]", "a[block=2]")


def test_a_baseline_may_be_named_by_its_module() -> None:
    files = {"dense": "/site/package/attention.py"}
    entry = Entry(name="dense", files=files, limits=(Limits(),))
    assert is_meant(entry, "package.attention:dense")
    for other in ("package.other:dense", "package.attention:mine", "attention.py:mine"):
        assert not is_meant(entry, other)


def test_an_unknown_baseline_names_the_implementations_of_the_run() -> None:
    with pytest.raises(ValueError, match=r"^--against 'bse' is none of .*: mine, base$"):
        planned("mine base", {"--problem": ONE, "--against": "bse"})


def test_problems_are_values_and_stand_in_the_plan_once() -> None:
    plan = planned("mine", {"--problem": ["h2 t64 d16", "d16 t64 h2 cpu", "h2 t128 d16"]})
    assert plan.problems == (Problem.parse("h2 t64 d16"), Problem.parse("h2 t128 d16"))


def test_axes_replace_fields_of_every_problem() -> None:
    axes = {"--seq": "8,16/32", "--pass": "forward,training", "--kv-heads": "1"}
    given: Given = {"--problem": ONE, **axes}
    words = ("t8", "t8 train", "t16/32", "t16/32 train")
    assert planned("mine", given).problems == tuple(
        Problem.parse(f"h2/1 d16 {each}") for each in words
    )


def test_a_typed_problem_without_a_device_runs_on_the_best_one() -> None:
    plan = planned("mine", {"--problem": ONE}, CUDA)
    assert [each.device for each in plan.problems] == ["cuda"]
    assert plan.capability == (9, 0)
    assert planned("mine", {"--problem": ["h2 t64 d16 cpu"]}, CUDA).problems[0].device == "cpu"
    assert planned("mine", {"--problem": ONE}).capability is None


def test_a_device_that_the_machine_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^--device cuda: this machine has cpu \(python run_"):
        planned("mine", {"--device": "cuda"})


def test_more_threads_than_cpus_are_refused() -> None:
    assert planned("mine", {}).threads == (CORES,)
    assert planned("mine", {"--threads": "4,1"}).threads == (1, 4)
    with pytest.raises(ValueError, match=r"^--threads is 5, this program may use 4 CPUs$"):
        planned("mine", {"--threads": "1,5"})


def test_the_baseline_is_among_the_implementations_that_are_looked_up() -> None:
    assert planning.specs_of(Request(suite=QUICK)) is None
    for against, specs in (("b", ["a", "b"]), ("a", ["a"]), (None, ["a"])):
        assert planning.specs_of(Request(suite=QUICK, specs=("a",), against=against)) == specs


def test_a_name_of_the_run_is_a_baseline_and_is_not_added_again() -> None:
    request = requested(QUICK, {"--impl": ["old=k.py", "new=k.py"], "--against": "old"})
    assert planning.specs_of(request) == ["old=k.py", "new=k.py"]
    named = tuple(Entry(name=name, spec="attention", limits=(Limits(),)) for name in ("old", "new"))
    plan = plan_of(request, MACHINE, named, CORES)
    assert (plan.baseline, plan.named) == ("old", ("old", "new"))


def test_a_baseline_may_have_a_name_of_its_own() -> None:
    request = requested(QUICK, {"--impl": ["new=k.py"], "--against": "base=naive"})
    assert planning.specs_of(request) == ["new=k.py", "base=naive"]
    named = tuple(
        Entry(name=name, spec="attention", limits=(Limits(),)) for name in ("new", "base")
    )
    plan = plan_of(request, MACHINE, named, CORES)
    assert (plan.baseline, plan.named) == ("base", ("new",))


@pytest.mark.parametrize("text", ["1a=naive", "a b=naive", "a=", "k.py=naive"])
def test_a_name_of_another_form_is_refused(text: str) -> None:
    expected = re.escape(f"--impl is {text!r}, expected NAME=SPEC with a name of letters")
    with pytest.raises(ValueError, match=expected):
        requested(QUICK, {"--impl": [text]})
