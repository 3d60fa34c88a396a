"""Verdicts in a terminal: tables that fit, counted when they are long, with every reason once."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from impls.interface import Limits, Problem
from reports.analysis.comparison import implementations
from reports.analysis.run_analysis import Analysis
from reports.analysis.run_comparison import runs
from reports.outputs.terminal.verdict_tables import MOST_ROWS, compare_tables, verdict_tables
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import PROBLEMS, small_run, two


def shown(what: list[RenderableType], width: int = 100) -> str:
    kept = io.StringIO()
    Console(file=kept, width=width).print(*what, sep="\n")
    return kept.getvalue()


def rows(what: list[RenderableType], width: int = 100) -> list[str]:
    return [" ".join(line.split()) for line in shown(what, width).splitlines()]


def one_process(run: Run, records: list[Record]) -> tuple[Run, list[Record]]:
    """The same run with seven rounds in its only session."""
    made = [record for record in records if not record.times_ms]
    for record in (record for record in records if record.times_ms):
        far = len(record.implementation) / 1000  # so that no two are off by the same
        ramp = (1.0, 1.01 + far, 0.99, 1.0, 1.02 - far, 1.0, 0.98 + far)
        samples = tuple(sum(record.times_ms) / 5 * each for each in ramp)
        made.append(replace(record, times_ms=samples, twin_ms=(), conditions=None))
    return run, made


def test_a_row_holds_the_ratio_its_interval_and_the_verdict() -> None:
    found = rows(verdict_tables(Analysis(*small_run(problems=PROBLEMS[:2]))))
    assert "ratio [95 %] verdict floor sessions more" in found
    place = found.index("Attention against naive (b1 h8 d64 full fp32 cpu)")
    assert found[place + 3 : place + 6] == [
        "t128",
        "chunked 0.592 [0.592, 0.593] faster 0.32 % 3",
        "sdpa_flash 0.185 [0.183, 0.187] faster 0.32 % 3",
    ]


def test_the_title_has_what_all_rows_share() -> None:
    found = rows(verdict_tables(Analysis(*small_run(problems=PROBLEMS[:2]))))
    assert "torch_multi_head against multi_head (b1 h8 d64 full fp32 cpu)" in found
    assert "t128 1.121 [1.120, 1.121] slower 0.32 % 3" in found
    found = rows(verdict_tables(Analysis(*small_run(problems=PROBLEMS[:1]))))
    assert "Attention against naive (b1 h8 t128 d64 full fp32 cpu)" in found
    assert "chunked 0.592 [0.592, 0.593] faster 0.32 % 3" in found


def test_the_notes_are_below_the_tables() -> None:
    found = rows(verdict_tables(Analysis(*two(1.0095))))
    assert "1 inconclusive: it differs, but perhaps by less than 1 %" in found
    assert "other 1.009 [1.008, 1.011] inconclusive 0.12 % 5 37" in found


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("problems", [PROBLEMS[:4], PROBLEMS[9:14], PROBLEMS])
def test_the_tables_fit_the_width(width: int, problems: tuple[Problem, ...]) -> None:
    text = shown(verdict_tables(Analysis(*small_run(problems=problems, threads=(1, 2)))), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def far_apart(run: Run, records: list[Record]) -> tuple[Run, list[Record]]:
    """The same run with sessions that have nothing in common: intervals without an end."""
    made = []
    for record in records:
        factor = 10 ** (9 * (-1) ** record.session) if record.implementation == "chunked" else 1
        samples = tuple(each * factor for each in record.times_ms)
        twins = tuple(each * (1 + record.session * 40) for each in record.twin_ms)
        made.append(replace(record, times_ms=samples, twin_ms=twins))
    return run, made


def test_a_name_is_broken_at_its_joints_only() -> None:
    run, records = far_apart(*small_run(problems=PROBLEMS[8:11]))
    names = {"chunked": "multi_head(chunked[block_q=128])"}
    entries = tuple(replace(e, name=names.get(e.name, e.name)) for e in run.plan.entries)
    records = [
        replace(r, implementation=names.get(r.implementation, r.implementation)) for r in records
    ]
    run = replace(run, plan=replace(run.plan, entries=entries))
    text = shown(verdict_tables(Analysis(run, records)), 80)
    assert max(map(len, text.splitlines())) <= 80
    firsts = [
        line.split()[0] for line in text.splitlines() if line.startswith("  ") and line.split()
    ]
    place = firsts.index("multi_head")
    assert firsts[place : place + 4] == ["multi_head", "(chunked[block_", "q=128])", "sdpa_flash"]
    assert "\nh8 t128 window:128 " in text


def test_a_word_that_no_table_holds_is_broken_where_the_line_ends() -> None:
    made = tuple(Entry(name=name * 35, limits=(Limits(),)) for name in "xyz")
    text = shown(
        verdict_tables(Analysis(*far_apart(*small_run(problems=PROBLEMS[:2], made=made)))), 80
    )
    assert max(map(len, text.splitlines())) <= 80
    assert "y" * 18 in text


def test_numbers_that_say_nothing_are_bounds() -> None:
    text = shown(verdict_tables(Analysis(*far_apart(*small_run(problems=PROBLEMS[:2])))), 80)
    assert "[<0.001, >1000]" in text
    assert ">100 %" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 140])
def test_a_verdict_of_a_single_session_is_marked(width: int) -> None:
    run, records = small_run(problems=PROBLEMS[9:11], sessions=1)
    text = " ".join(shown(verdict_tables(Analysis(*one_process(run, records))), width).split())
    assert "faster 1" in text
    assert "(this process)" in text
    assert "one session: it holds within this process only" in text


def test_many_rows_are_counted_and_the_page_has_them_all() -> None:
    run, records = small_run()
    found = rows(verdict_tables(Analysis(run, records)))
    assert "implementation faster ratios" in found
    assert "chunked 18 0.556 to 0.592" in found
    assert "torch_multi_head 18 1.121 to 1.160" in found
    assert "Every row is on the page." in found
    few = rows(verdict_tables(Analysis(*small_run(problems=PROBLEMS[:5]))))
    assert MOST_ROWS > 19
    assert "Every row is on the page." not in few


def test_several_numbers_of_threads_are_named() -> None:
    found = rows(verdict_tables(Analysis(*small_run(problems=PROBLEMS[:1], threads=(1, 2)))))
    assert found.index("1 thread") < found.index("2 threads")
    found = rows(verdict_tables(Analysis(*small_run(problems=PROBLEMS[:2], threads=(1, 2)))))
    assert "t256, 2 threads" in found


def test_a_run_without_a_comparison_shows_nothing() -> None:
    assert verdict_tables(Analysis(*small_run(sessions=0))) == []


def test_a_shared_reason_is_printed_once() -> None:
    found = rows(verdict_tables(Analysis(*small_run(problems=PROBLEMS[:2], sessions=1))))
    said = [line for line in found if "an interval takes" in line]
    assert said == ["8 not judged: one session; an interval takes 2, or 6 rounds of it"]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_two_runs_have_times_ratio_and_verdict_in_one_row(width: int) -> None:
    run, records = two(2.0)
    later, slower = two(2.1)
    found = rows(compare_tables(runs(run, records, replace(later, name="later"), slower)), width)
    text = " ".join(found)
    assert "later against 2026-01-02-quick" in text
    assert "other 0.540 0.567 1.050 [1.048, 1.052] slower 0.16 %" in text
    assert "1 not judged: the others are compared with it" in text


def test_a_comparison_across_machines_is_marked() -> None:
    run, records = two(2.0)
    other = replace(run, name="later", machine={**run.machine, "cpu": "Other"})
    found = " ".join(rows(compare_tables(runs(run, records, other, records))))
    assert "Not alike: CPU: Example CPU 9000 in 2026-01-02-quick, Other in later." in found


def test_two_implementations_need_no_column_for_their_names() -> None:
    found = rows(compare_tables(implementations(*small_run(), "naive", "chunked")))
    assert "chunked against naive (b1 d64 fp32 cpu)" in found
    assert "base ms new ms ratio [95 %] verdict floor" in found
    assert "h8 t2048 full 36.7 20.4 0.556 [0.556, 0.556] faster 0.32 %" in found


def test_a_long_comparison_is_counted_and_points_to_json() -> None:
    run, records = small_run()
    found = rows(compare_tables(runs(run, records, replace(run, name="later"), records)))
    assert "chunked 18 1.000 to 1.000" in found
    assert "Every row: --json." in found


def test_a_single_implementation_of_two_runs_is_in_the_title() -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    for_one = [r for r in records if r.implementation == "chunked"]
    found = rows(compare_tables(runs(run, for_one, replace(run, name="later"), for_one)))
    assert "chunked: later against 2026-01-02-quick (b1 h8 t128 d64 full fp32 cpu)" in found


def test_a_comparison_of_nothing_is_a_sentence() -> None:
    one, other = small_run(problems=PROBLEMS[:1]), small_run(problems=PROBLEMS[1:2])
    assert "Nothing was measured on both sides." in rows(compare_tables(runs(*one, *other)))


def test_brackets_in_a_name_are_no_markup() -> None:
    run, records = two(1.3)
    names = {"other": "other[red]"}
    entries = tuple(replace(e, name=names.get(e.name, e.name)) for e in run.plan.entries)
    run = replace(run, plan=replace(run.plan, entries=entries))
    records = [replace(r, implementation=names.get(r.implementation, "base")) for r in records]
    assert "other[red]" in shown(verdict_tables(Analysis(run, records)))
