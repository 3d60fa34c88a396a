"""Hardware counters on the page of a profile: values, and the reason of each that is missing."""

from __future__ import annotations

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.views.profile.counters import PER_CYCLE, sections
from reports.views.sections import Section
from suites.records.perf_counters import PerfCounters
from suites.records.profile import Profile
from tests.saved_run import small_run

PROBLEM = Problem.parse("h8 t128 full fp32 cpu")
NOT_SUPPORTED = "not supported on this machine: the system has no such counter"


def profiled(*counted: PerfCounters | None) -> list[Section]:
    names = ("chunked", "sdpa_flash")
    profiles = [
        Profile(implementation=name, problem=PROBLEM, threads=2, counters=each)
        for name, each in zip(names, counted, strict=False)
    ]
    return sections(ProfiledRun(Analysis(*small_run()), tuple(profiles)))


def cells(section: Section) -> dict[str, list[str]]:
    (table,) = section.tables
    return {row.cells[0].text: [each.text for each in row.cells[1:]] for row in table.rows}


def test_each_counter_has_a_row_and_each_implementation_a_column() -> None:
    first = PerfCounters(values={"cycles": 2.0e6, "instructions": 5.0e6})
    second = PerfCounters(values={"cycles": 1.0e6})
    (section,) = profiled(first, second)
    assert section.tables[0].head == ("counter", "chunked", "sdpa_flash")
    assert cells(section) == {
        "instructions": ["5,000,000", "not counted"],
        "cycles": ["2,000,000", "1,000,000"],
        PER_CYCLE: ["2.50", "not counted"],
    }


def test_counters_without_a_value_share_one_sentence_with_their_reason() -> None:
    absent = {"instructions": NOT_SUPPORTED, "cycles": NOT_SUPPORTED}
    (section,) = profiled(PerfCounters(values={"page_faults": 3.0}, absent=absent))
    assert section.sentences == (f"Instructions, cycles: {NOT_SUPPORTED}.",)
    assert cells(section) == {"page faults": ["3.00"]}


def test_a_perf_that_counts_nothing_leaves_its_reason_and_no_table() -> None:
    reason = "hardware counters were not read: perf is not installed"
    (section,) = profiled(PerfCounters(reason=reason), PerfCounters(reason=reason))
    assert section.sentences == (f"H{reason[1:]}.",)
    assert section.tables == ()


def test_user_space_alone_and_scaled_counts_are_said() -> None:
    found = PerfCounters(values={"cycles": 1.0}, user_only=True, least_counted=0.5)
    (section,) = profiled(found)
    assert len(section.sentences) == 2
    assert "50%" in section.sentences[1]


def test_without_counters_there_is_no_section() -> None:
    assert profiled(None) == []
