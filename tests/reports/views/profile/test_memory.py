from __future__ import annotations

from dataclasses import replace

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.views.charts.chart import Chart
from reports.views.profile import held_table, memory
from reports.views.sections import Section, Table
from suites.records.profile import Held, MemoryProfile
from tests.reports.memory_by_hand import LONG, MEMORY, MIB, PROBLEM, profile, profiled
from tests.saved_run import TWO, small_run


def section_of(*profiles: object, **record: object) -> Section:
    (found,) = memory.sections(profiled(*profiles, **record))  # type: ignore[arg-type] # profiles
    return found


def with_faults(count: float) -> ProfiledRun:
    """A run whose timed calls had so many page faults each."""
    found = profiled(profile())
    records = [replace(each, page_faults=count) for each in found.analysis.records]
    return ProfiledRun(Analysis(found.analysis.run, records), found.profiles)


def cells(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_the_peak_is_a_sentence_with_its_largest_lines() -> None:
    assert memory.peak_sentence(profile()) == (
        "the peak of 24.0 MiB is reached at 50 % of the call: 8.00 MiB of bmm (impls/mine.py:5), "
        "7.00 MiB of mul in backward (impls/mine.py:7), 4.00 MiB of clone (impls/mine.py:5), "
        "1.00 MiB of 2 others, 4.00 MiB kept from preparation and the first call"
    )


def test_memory_that_no_operator_allocated_is_of_python() -> None:
    only = MemoryProfile(
        peak_bytes=8, peak_at=0, times_ns=(0,), changes=(8,), held=(Held(bytes=8),)
    )
    said = memory.peak_sentence(profile(memory=only))
    assert said.endswith("is reached at the beginning of the call: 8 bytes of Python")


def test_a_call_without_memory_of_its_own_says_so() -> None:
    said = memory.peak_sentence(profile(memory=MemoryProfile()))
    assert said == "torch's allocator gives out no memory"


def test_the_last_row_of_the_table_is_the_sum_to_the_byte() -> None:
    table = held_table.table(profile(), "base")
    assert cells(table) == [
        ["impls/mine.py:5 mine", "8,388,608", "33 %", "bmm", "8x512x512 float32"],
        ["impls/mine.py:7 mine", "7,340,032", "29 %", "mul in backward", "7x512x512 float32"],
        ["impls/mine.py:5 mine", "4,194,304", "17 %", "clone", "2 of 2x512x512 float32"],
        ["not known", "1,048,568", "4.2 %", "empty", "not known"],
        ["not known", "8", "<0.01 %", "Python", "not known"],
        ["kept from preparation and the first call", "4,194,304", "17 %", "", ""],
        ["sum", "25,165,824", "100 %", "", ""],
    ]
    assert table.rows[-1].cells[1].order == MEMORY.peak_bytes


def test_many_small_rows_are_one() -> None:
    many = tuple(Held(bytes=1000 - place, shape=f"{place} int8") for place in range(50))
    peak = sum(each.bytes for each in many)
    table = held_table.table(profile(memory=MemoryProfile(peak_bytes=peak, held=many)), "base")
    assert len(table.rows) == held_table.MOST_ROWS + 2
    assert table.rows[-2].cells[0].text == "10 smaller rows"
    assert table.rows[-1].cells[1].order == peak


def test_a_sum_that_equals_the_record_is_said() -> None:
    equal = section_of(profile(), peak_bytes=24 * MIB)
    assert "1 sum below equals the peak memory of the run's record, to the byte." in equal.sentences


def test_a_sum_that_differs_from_the_record_says_by_how_much_and_why() -> None:
    found = section_of(profile(), peak_bytes=25 * MIB)
    said = next(each for each in found.sentences if "record has" in each)
    assert said == (
        "base: the run's record has 26,214,400 bytes, 1,048,576 more. "
        "A record is of a first call, which may also allocate what later calls reuse."
    )
    assert not any("to the byte" in each for each in found.sentences)


def test_memory_outside_torch_is_said_with_its_reason() -> None:
    reason = "memory of onnxruntime is not seen by torch's allocator"
    found = section_of(profile(memory=None), peak_bytes=None, unseen=reason)
    assert f"base: {reason}." in found.sentences
    assert found.charts == ()
    assert cells(found.tables[0])[0][:4] == ["base", "not seen", "not recorded", "not seen"]


def test_one_call_is_drawn_over_milliseconds_and_two_over_their_shares() -> None:
    (alone,) = section_of(profile()).charts
    (two,) = section_of(profile(), profile("other")).charts
    assert isinstance(alone, Chart)
    assert isinstance(two, Chart)
    assert (alone.x_title, alone.series[0].x[-1]) == ("ms of the profiled call", 10.0)
    assert (two.x_title, two.series[0].x[-1]) == ("share of the profiled call, %", 100.0)
    assert [series.name for series in two.series] == ["base", "other", "peak"]
    assert two.series[2].x == (50.0, 50.0)


def test_a_change_is_a_step_of_the_line() -> None:
    (chart,) = section_of(profile()).charts
    assert isinstance(chart, Chart)
    line = chart.series[0]
    assert line.x[:5] == (0.0, 1.0, 1.0, 2.0, 2.0)
    assert line.y[:5] == (4.0, 4.0, 12.0, 12.0, 14.0)


def test_several_problems_have_a_chart_each_and_tables_of_the_largest_peaks() -> None:
    larger = replace(MEMORY, kept_bytes=20 * MIB, peak_bytes=40 * MIB)
    found = section_of(
        profile(), profile("other"), profile(problem=LONG, memory=larger), profile("other", LONG)
    )
    assert [chart.label for chart in found.charts] == ["t1024", "t2048"]
    assert [table.caption for table in found.tables[1:]] == [
        "Held at the peak of base, t2048.",
        "Held at the peak of other, t2048.",
        "Held at the peak of base, t1024.",
        "Held at the peak of other, t1024.",
    ]
    assert [row[6] for row in cells(found.tables[0])] == ["t1024", "t1024", "t2048", "t2048"]


def test_page_faults_and_resident_memory_stand_beside_the_peak() -> None:
    found = with_faults(12.5)
    (row,) = cells(memory.sections(found)[0].tables[0])
    assert row == ["base", "24.0", "50 %", "4.00", "12.5", "64.0", str(PROBLEM)]


def test_without_profiles_there_is_no_section() -> None:
    failed = profile(nodes=(), memory=None, fault="failed: ValueError")
    assert memory.sections(profiled(failed)) == []


def test_a_snapshot_of_an_nvidia_device_is_named_with_the_page_that_opens_it() -> None:
    problem = Problem.parse("b1 h8 t1024 d64 full bf16 cuda")
    with_file = profile(problem=problem, files=("x.trace.json", "x.memory.pickle"))
    (said,) = [each for each in section_of(with_file).sentences if "memory_viz" in each]
    assert said.startswith("x.memory.pickle: snapshots of torch's allocator")
    assert memory.NO_SNAPSHOT in section_of(profile(problem=problem)).sentences
    assert memory.NO_SNAPSHOT not in section_of(profile()).sentences


def test_on_a_gpu_the_note_and_the_reason_are_those_of_its_allocator() -> None:
    problem = Problem.parse("b1 h8 t1024 d64 full bf16 cuda")
    run, records = small_run(problems=(problem,), sessions=1, made=TWO)
    changed = [replace(each, peak_bytes=23 * MIB) for each in records]
    found = ProfiledRun(Analysis(run, changed), (profile(problem=problem),))
    (section,) = memory.sections(found)
    assert any(each.endswith(memory.ON_GPU) for each in section.sentences)
    (chart,) = section.charts
    assert "The time is that of the host" in chart.note


def test_resident_memory_that_only_the_record_has_is_shown() -> None:
    found = section_of(profile(memory=None), peak_bytes=None, resident_bytes=3 * MIB)
    assert cells(found.tables[0])[0][5] == "3.00"
    assert cells(section_of(profile(), resident_bytes=3 * MIB).tables[0])[0][5] == "64.0"


def test_a_sentence_names_a_line_and_its_operator_once_for_all_shapes() -> None:
    two = tuple(Held(bytes=size, node=2, line=1, shape=f"{size} int8") for size in (MIB, 2 * MIB))
    said = memory.peak_sentence(profile(memory=MemoryProfile(peak_bytes=3 * MIB, held=two)))
    assert said.endswith("of the call: 3.00 MiB of bmm (impls/mine.py:5)")


def test_pages_that_are_mapped_anew_are_said_with_what_avoids_it() -> None:
    own = profile()
    few = with_faults(memory.MANY_FAULTS - 1.0)
    assert memory.faults_sentence(few, own) == ""
    many = with_faults(float(memory.MANY_FAULTS))
    assert memory.faults_sentence(many, own) == (
        "Each call maps 256 pages of memory anew; --allocator retain keeps them mapped."
    )
    run = many.analysis.run
    retained = replace(run, plan=replace(run.plan, allocator="retain"))
    analysis = Analysis(retained, many.analysis.records)
    said = memory.faults_sentence(ProfiledRun(analysis, many.profiles), own)
    assert said == "Each call maps 256 pages of memory anew."
