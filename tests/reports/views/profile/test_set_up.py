"""The section on set-up: sentences and the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.profile.set_up import Paid
from reports.analysis.run_analysis import Analysis
from reports.views.profile.set_up import calls, sections
from reports.views.sections import Section
from tests.reports.differences_by_hand import EAGER, FUSED, compared, profile, several, times
from tests.reports.profiled_by_hand import PROBLEM


def section(mine: dict[str, Any], yours: dict[str, Any], cold_ms: float | None = None) -> Section:
    """Calls of 1 ms against 2 ms, with these fields in the records of all sessions."""
    own, other = profile("mine", compile_ms=cold_ms), profile("yours", FUSED)
    found = compared(own, other, times(mine=1.0, yours=2.0))
    fields = {"mine": mine, "yours": yours}
    records = [
        replace(each, **fields[each.implementation]) if each.times_ms else each
        for each in found.analysis.records
    ]
    (made,) = sections(ProfiledRun(Analysis(found.analysis.run, records), found.profiles))
    return made


def cells(found: Section) -> list[list[str]]:
    return [[each.text for each in row.cells[1:]] for row in found.tables[0].rows]


def test_set_up_is_said_with_its_parts_and_when_it_has_paid() -> None:
    found = section(
        {"prepare_ms": 80.0, "first_call_ms": 21.0, "compilations": 1, "compile_ms": 70.0},
        {"first_call_ms": 1.0},
        cold_ms=5000.0,
    )
    whole, cold, other, paid = found.sentences
    assert whole == (
        "Set-up of mine takes 101 ms (preparing 80.0 ms, first call 21.0 ms, 1 compilation of "
        "70.0 ms); a later call 1.00 ms."
    )
    assert cold == "Without code from earlier, torch compiles mine for 5.00 s."
    assert other == "The first call of yours takes 1.00 ms; a later call 2.00 ms."
    assert paid.startswith("Set-up of mine has paid for itself against yours after 101 calls [")


def test_the_table_has_both_with_what_each_lacks() -> None:
    found = section(
        {"prepare_ms": 80.0, "first_call_ms": 21.0, "compilations": 2, "compile_ms": 70.0},
        {"first_call_ms": 1.0},
        cold_ms=5000.0,
    )
    mine, yours = cells(found)
    assert mine[:4] == ["mine", "80.0", "21.0", "1.00"]
    assert mine[4].startswith("101 [")
    assert mine[5:] == ["2.00", "70.0", "5000"]
    assert yours == ["yours", "none", "1.00", "2.00", "never", "none", "none", "none"]


def test_never_is_a_sentence_and_the_faster_one_has_its_number_of_calls() -> None:
    own, other = profile("mine"), profile("yours", FUSED)
    found = compared(own, other, times(mine=2.0, yours=1.0))
    records = [
        replace(each, first_call_ms=21.0 if each.implementation == "yours" else 1.0)
        if each.times_ms
        else each
        for each in found.analysis.records
    ]
    run = ProfiledRun(Analysis(found.analysis.run, records), found.profiles)
    *_, never, paid = sections(run)[0].sentences
    assert never == (
        "Set-up of mine never pays for itself against yours: its calls are not shown to be faster."
    )
    assert paid.startswith("Set-up of yours has paid for itself against mine after 21 calls")


def test_at_once_is_a_sentence() -> None:
    found = section({"first_call_ms": 2.0}, {"first_call_ms": 2.0})
    assert found.sentences[-1] == (
        "mine is ahead of yours from the first call: its set-up takes no longer."
    )
    assert cells(found)[0][4] == "at once"


def test_with_several_problems_the_sentences_are_on_the_longest() -> None:
    longer = Problem.parse("h8 t1024 d64 full fp32 cpu")
    profiles = [
        profile(name, took, problem)
        for problem, took in ((longer, EAGER), (PROBLEM, FUSED))
        for name in ("mine", "yours")
    ]
    (found,) = sections(several(profiles, times(mine=1.0, yours=2.0), baseline="yours"))
    assert found.sentences[0] == (
        f"On the problem with the longest call, {longer}; the table has all of them:"
    )
    assert len(found.sentences) == 4
    assert len(found.tables[0].rows) == 4


def test_numbers_of_calls_are_whole() -> None:
    assert calls(Paid("paid", 1.0)) == "1 call"
    assert calls(Paid("paid", 10.2, 8.1, 12.9)) == "10 calls [8, 13]"
    assert calls(Paid("paid", 2000.5, 900.0, 4e9)) == "2,000 calls [900, >1,000,000]"
    assert calls(Paid("paid", 4e9)) == "more than 1,000,000 calls"
    assert calls(Paid("never")) == ""


def test_a_run_without_times_has_no_section() -> None:
    found = compared(profile("mine"), profile("yours", FUSED), times(mine=1.0, yours=2.0))
    checked = [each for each in found.analysis.records if not each.times_ms]
    assert sections(ProfiledRun(Analysis(found.analysis.run, checked), found.profiles)) == []
