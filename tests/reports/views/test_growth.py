"""The section on growth: sentences that intervals support, charts, tables, and odd runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from impls.interface import Limits, Problem
from reports.analysis.run_analysis import Analysis
from reports.views.charts.chart import Chart
from reports.views.parts.growth import section
from reports.views.sections import Section, Table
from suites.records.plan import Entry
from suites.records.record import Record
from tests.saved_run import LENGTHS, PROBLEMS, TWO, small_run

LONG = (128, 256, 512, 1024, 2048, 4096, 8192)


def made(problems: Iterable[Problem] = PROBLEMS, sessions: int = 3) -> Section:
    return told(Analysis(*small_run(problems=tuple(problems), sessions=sessions)))


def told(analysis: Analysis) -> Section:
    found = section(analysis)
    assert found is not None
    return found


def squares(lengths: Iterable[int]) -> list[Problem]:
    return [Problem.parse(f"h8 t{length}") for length in lengths]


def cell(table: Table, implementation: str, column: str) -> str:
    """Of the first row of an implementation."""
    row = next(row for row in table.rows if row.cells[0].text == implementation)
    return row.cells[table.head.index(column)].text


def test_sentences_name_implementations_near_linear_and_quadratic_growth() -> None:
    said = made().sentences
    assert said[0].startswith(
        "Between the two longest lengths, growth of time is nearer to linear for local_window: "
    )
    assert "nearer to quadratic for chunked, naive, sdpa_flash, sdpa_math" in said[1]
    assert said[2].endswith("with 95 % bounds: 13 hits, 0 missed.")
    assert said[3] == "The bytes of 13 of 13 series are one polynomial in the length, exactly."
    assert said[4].startswith("2 problems ran out of memory; the bytes of the shorter ones ")
    assert said[4].endswith("predict it for 0.")
    assert len(said) == 5


def test_a_chart_has_exponents_with_intervals_and_two_reference_lines() -> None:
    found = made()
    assert [each.key for each in found.charts] == [
        *["exponents_vs_length"] * 2,
        *["layers_exponents_vs_length"] * 2,
    ]
    chart = found.charts[0]
    assert isinstance(chart, Chart)
    naive = next(each for each in chart.series if each.name == "naive")
    assert naive.x == LENGTHS[1:]
    assert all(
        low <= y <= high for low, y, high in zip(naive.low, naive.y, naive.high, strict=True)
    )
    assert 1.85 < naive.y[0] < naive.y[-1] < 2
    bare = [each for each in chart.series if each.drawn == "bare"]
    assert [each.y for each in bare] == [(1.0, 1.0), (2.0, 2.0)]
    assert not any(each.implementation for each in bare)
    assert chart.facets == {
        "device": "cpu",
        "dtype": "float32",
        "heads": "8",
        "mask": "full",
        "pass": "forward",
    }
    assert "drawn at the longer of the two" in chart.note


def test_tables_have_predictions_and_the_longest_length_that_fits() -> None:
    time, memory = made().tables
    assert cell(time, "naive", "time follows") == "constant + T²"
    assert cell(time, "naive", "forecast").startswith("hit")
    assert "2048: 36.7 [36.7, 36.7] ms, was 36.7 (0 %)" in cell(time, "naive", time.head[5])
    assert cell(memory, "naive", "bytes above the inputs at length T") == "64 T²"
    assert cell(memory, "naive", "meaning") == ("64 T² = 2 score matrices of 8 heads in float32")
    assert cell(memory, "naive", "longest that fits") == "11537"
    assert cell(memory, "naive", "resident / requested") == "2.00"
    assert cell(memory, "naive", "tried") == "measured up to 2048; nothing longer tried"
    assert cell(memory, "sdpa_math", "tried") == (
        "measured up to 1024; 2048 would take 0.250 GiB of 6.00 GiB that one call may add "
        "(--memory-limit) and ran out: contradicts"
    )


def test_rows_are_filtered_and_repeated() -> None:
    row = made().tables[0].rows[0]
    assert row.facets["implementation"] == "chunked"
    assert row.command == (
        'python run_bench.py run --problem "b1 h8 t2048 d64 full fp32 cpu" --impl "chunked" '
        "--threads 2"
    )


def test_one_length_has_no_section() -> None:
    assert section(Analysis(*small_run(problems=PROBLEMS[:1]))) is None


def test_a_run_without_records_has_no_section() -> None:
    run, _ = small_run()
    assert section(Analysis(run, [])) is None


def test_two_lengths_have_exponents_and_no_chart_and_no_model() -> None:
    found = made(squares((128, 256)))
    assert found.charts == ()
    assert cell(found.tables[0], "naive", "time follows") == "a model needs 4 lengths, not 2"
    assert "from 128 to 256" in cell(found.tables[0], "naive", "last exponent")
    assert not any("held out" in each for each in found.sentences)


def test_one_session_has_no_interval_and_says_so() -> None:
    found = made(sessions=1)
    assert not any("nearer" in each for each in found.sentences)
    assert found.sentences[0] == (
        "Of the 13 exponents at the longest lengths, 13 have no interval."
    )
    assert "(one session: no interval)" in cell(found.tables[0], "naive", "last exponent")
    chart = found.charts[0]
    assert isinstance(chart, Chart)
    assert all(each.low == () for each in chart.series)
    assert "Without an interval: chunked, naive, sdpa_flash, sdpa_math." in chart.note


def test_a_gap_is_a_wider_step() -> None:
    lengths = (128, 256, 1024, 2048, 8192)
    chart = made(squares(lengths)).charts[0]
    assert isinstance(chart, Chart)
    naive = next(each for each in chart.series if each.name == "naive")
    assert naive.x == lengths[1:]
    assert all(1.8 < each < 2.01 for each in naive.y)


def test_a_check_alone_has_a_table_of_memory() -> None:
    found = made(sessions=0)
    (memory,) = found.tables
    assert found.charts == ()
    assert cell(memory, "naive", "bytes above the inputs at length T") == "64 T²"


def test_no_figures_of_memory_leave_the_times() -> None:
    run, records = small_run()
    without = [replace(each, peak_bytes=None) for each in records]
    (time,) = told(Analysis(run, without)).tables
    assert "time follows" in time.head


def test_bytes_in_pieces_say_from_which_length_on() -> None:
    run, records = small_run(problems=squares(LONG), made=TWO[:1])
    stepped = [_stepped(each) for each in records]
    memory = told(Analysis(run, stepped)).tables[1]
    assert cell(memory, "base", "bytes above the inputs at length T") == (
        "128 to 256: no polynomial; 512 to 8192: 260 T + 11"
    )


def _stepped(record: Record) -> Record:
    if record.peak_bytes is None:
        return record
    length = record.problem.key_length
    return replace(record, peak_bytes=260 * length + 11 if length > 256 else 7 + length // 200)


def test_a_length_that_timed_out_is_named_in_the_table() -> None:
    run, records = small_run(problems=squares(LONG), made=TWO[:1])
    late = squares(LONG)[-1]
    kept = [each for each in records if each.problem != late]
    slow = Record(
        session=0,
        problem=late,
        implementation="base",
        status="timed_out",
        cause="time_limit",
        reason="60 s",
    )
    memory = told(Analysis(run, [*kept, slow])).tables[1]
    assert cell(memory, "base", "tried") == "measured up to 4096; longer ones timed out"


def test_a_hostile_name_and_fifty_implementations_do_no_harm() -> None:
    entries = tuple(Entry(name=f"<b>{i}</b>\n", limits=(Limits(),)) for i in range(50))
    run, records = small_run(problems=squares(LENGTHS), made=entries)
    found = told(Analysis(run, records))
    assert len(found.tables[0].rows) == 50
    assert not any("\n" in each for each in found.sentences)


def test_a_time_of_0_ms_keeps_the_other_lengths() -> None:
    run, records = small_run(problems=squares(LENGTHS), made=TWO[:1])
    still = squares(LENGTHS)[1]
    stopped = [
        replace(each, times_ms=tuple(0.0 for _ in each.times_ms)) if each.problem == still else each
        for each in records
    ]
    time, _ = told(Analysis(run, stopped)).tables
    assert "from 128 to 512" in cell(time, "base", "first exponent")
    assert cell(time, "base", "time follows").startswith("a time of 0 ms is implausible")


@pytest.mark.parametrize(
    ("times", "but"), [((1.0, 1.0, 1.5, 8.0), ""), ((1.0, 3.0, 9.0, 40.0), " but constant")]
)
def test_lengths_that_fit_every_model_are_inconclusive(times: tuple[float, ...], but: str) -> None:
    run, records = small_run(problems=squares(LENGTHS[:4]), made=TWO[:1], sessions=1)
    scattered = dict(zip(squares(LENGTHS[:4]), times, strict=True))
    made_up = [
        replace(each, times_ms=tuple(scattered[each.problem] for _ in each.times_ms))
        for each in records
    ]
    table = told(Analysis(run, made_up)).tables[0]
    assert cell(table, "base", "time follows") == (
        f"inconclusive: 4 lengths and their scatter fit every form{but}"
    )
    assert "models that the times do not distinguish" in table.caption
