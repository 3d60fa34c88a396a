"""The head of a profile's page: title, faults, the answer, and what the protocol measured."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.views.profile import files, measured, page, terms
from suites.records.profile import Profile
from tests.reports.profile_by_hand import LONGER, PROBLEM, found, profile
from tests.saved_run import over_budget, small_run, two


def test_the_title_names_implementations_and_problem() -> None:
    assert page.title(found()) == f"Profile of other against base, {PROBLEM}"
    both = found(profile(), profile(problem=LONGER))
    assert page.title(both) == "Profile of other, 2 problems (b1 h8 d64 full fp32 cpu)"


def test_the_answer_begins_with_the_ratio_of_the_protocol() -> None:
    first = page.sentences(found())[0]
    assert first.startswith("other takes ")
    assert " 2.000 [" in first
    assert "times as long as base: slower (5 sessions, without the profiler)." in first


def test_the_answer_says_what_the_time_of_the_longest_call_is_spent_in() -> None:
    said = page.sentences(found(profile(), profile(problem=LONGER, scale=4)))
    assert any("60 % of the time in bmm" in each for each in said)
    assert not any(f"{PROBLEM}: 60 %" in each for each in said)


def test_a_ratio_never_comes_from_the_profiled_run() -> None:
    slower = replace(profile(), plain_ms=(800.0,), profiled_ms=(900.0,))
    assert page.sentences(found(slower))[0] == page.sentences(found(profile()))[0]


def test_measured_figures_stand_beside_the_overhead_of_the_profiler() -> None:
    (section,) = measured.sections(found())
    (table,) = section.tables
    other, base = ([each.text for each in row.cells] for row in table.rows)
    assert other[3].startswith("2.000 [")
    assert other[4] == "slower"
    assert other[6] == "1.250"
    assert (base[3], base[4]) == ("-", "baseline")


def test_a_profile_without_times_has_no_measured_figures() -> None:
    missing = Profile(implementation="absent", problem=PROBLEM, threads=2)
    assert measured.sections(found(missing)) == []
    assert measured.overhead(missing) is None


def test_a_failure_under_the_profiler_stands_first_and_the_rest_is_there() -> None:
    crashed = Profile(
        implementation="other", problem=PROBLEM, threads=2, fault="crashed: signal 11"
    )
    run = found(crashed, profile("base"))
    (fault,) = page.faults(run)
    assert fault.said == f"other failed under the profiler on {PROBLEM}"
    assert fault.why == "crashed: signal 11"
    assert {section.id for section in page.sections(run)} >= {"time", "call-tree", "measured"}


def test_what_was_refused_has_its_reason() -> None:
    run, records = small_run()
    plan = replace(run.plan, named=("local_window",))
    own = ProfiledRun(Analysis(replace(run, plan=plan), records), ())
    assert any(
        each.startswith("local_window was not profiled on ") and "mask" in each
        for each in page.notes(own)
    )


def test_a_baseline_without_a_time_has_its_reason() -> None:
    run, records = two(2.0, baseline="base")
    late = [
        over_budget(record.problem, "base", record.session)
        if record.implementation == "base" and record.times_ms
        else record
        for record in records
    ]
    own = ProfiledRun(Analysis(run, late), (profile("other"),))
    (note,) = page.left_out(own)
    assert note.startswith(f"base was not profiled on {PROBLEM}: ")
    assert "budget" in note


def test_files_beside_the_page_say_what_opens_them() -> None:
    snapshot = replace(profile(), files=("a b.trace.json", "a.pickle", "a.txt"))
    data, trace, memory, other = files.of(found(snapshot), lambda name: name != "a.txt")
    assert data.href == "profile.json"
    assert trace.href == "a%20b.trace.json"
    assert "ui.perfetto.dev" in trace.said
    assert "chrome://tracing" in trace.said
    assert "pytorch.org/memory_viz" in memory.said
    assert other.href == ""
    assert other.said.endswith("in the folder of the profile command")


def test_each_heading_has_one_definition_on_the_page() -> None:
    sections = page.sections(found())
    listed = terms.used(sections, page.sentences(found()))
    heads = {head for each in sections for table in each.tables for head in table.head}
    lacking = {head for head in heads if terms.of_head(head) not in listed}
    assert lacking <= {"other ms", "base ms", "other MiB", "base MiB"}
    assert len({term.anchor for term in listed}) == len(listed)


def test_calls_of_a_profile_are_not_those_of_percentiles() -> None:
    term = terms.of_head("calls")
    assert term is not None
    assert "profiled call" in term.definition


def test_the_answer_of_several_lengths_says_what_grows() -> None:
    assert "Growth" not in [each.label for each in page.answers(found())]
    both = found(profile(), profile(problem=LONGER, scale=4))
    (growth,) = [each for each in page.answers(both) if each.label == "Growth"]
    assert growth.sentences
    assert all("T^" in each for each in growth.sentences)
