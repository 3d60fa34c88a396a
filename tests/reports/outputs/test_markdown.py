"""Markdown for pull requests: short, with the answer first, shown as it was meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.comparison import implementations
from reports.analysis.gate import gate
from reports.analysis.history import history
from reports.analysis.run_analysis import Analysis
from reports.analysis.run_comparison import runs
from reports.outputs.markdown.check import of_check
from reports.outputs.markdown.comparison import MOST_ROWS, of_comparison, of_history
from reports.outputs.markdown.run import BESIDE, of_run
from reports.outputs.markdown.text import block, code, details, escaped, table
from reports.views import answer, headline
from reports.views.gate import sentence
from suites.records.record import Record
from suites.records.store import Run
from tests.reports.analysis.test_comparison import compared, renamed
from tests.reports.outputs.rendered import rendered
from tests.saved_run import PROBLEMS, small_run, two

FIGURES = ["time ms", "ratio [95 %]", "verdict", "memory MiB"]
HOSTILE = "a|b*c*_d_`e`<img src=x>[f](g)~~h~~ $i$ &amp; \\"


def of(run: Run, records: list[Record]) -> str:
    return of_run(Analysis(run, records))


def without_faults(run: Run, records: list[Record]) -> tuple[Run, list[Record]]:
    entries = tuple(each for each in run.plan.entries if each.name != "off_by_one")
    kept = [record for record in records if record.implementation != "off_by_one"]
    return replace(run, plan=replace(run.plan, entries=entries)), kept


def test_the_answer_is_the_first_line_and_machine_and_command_fold_away() -> None:
    run, records = two(2.0)
    made = of(run, records)
    found = rendered(made)
    first, *_ = answer.sentences(Analysis(run, records))
    assert found.bold == [first]
    assert made.startswith(f"**{first}**\n")
    visible, folded = made.split("<details>")
    assert headline.preamble(Analysis(run, records)) in found.paragraphs
    assert "Example CPU 9000" in visible
    assert found.blocks == [run.command]
    assert run.command in folded
    assert made.count("<details>") == made.count("</details>") == 1


def test_one_problem_has_a_row_for_each_implementation_the_fastest_first() -> None:
    (attention, layers) = rendered(of(*small_run(problems=PROBLEMS[:1]))).tables
    assert attention[0] == ["implementation", *FIGURES]
    assert [row[0] for row in attention[1:]] == ["sdpa_flash", "chunked", "sdpa_math", "naive"]
    cells = {row[0]: row[1:] for row in attention[1:]}
    assert cells["naive"][1:3] == ["", "baseline"]
    assert cells["sdpa_flash"][2] == "faster"
    assert "[" in cells["sdpa_flash"][1]
    assert all(row[1] and row[4] for row in attention[1:])
    assert [row[0] for row in layers[1:]] == ["multi_head", "torch_multi_head"]


def test_two_implementations_on_several_problems_have_a_row_for_each_problem() -> None:
    run, records = small_run(problems=PROBLEMS[:3])
    found = rendered(of(run, records))
    layers = found.tables[1]
    title = "Layers, b1 h8 d64 full fp32 cpu, torch_multi_head against multi_head"
    assert title in found.paragraphs
    assert layers[0] == ["problem", *BESIDE]
    assert all(float(row[1]) < float(row[2]) for row in layers[1:])
    assert [row[0] for row in layers[1:]] == ["t128", "t256", "t512"]


def test_many_rows_are_cut_to_the_largest_problem_of_each_kind() -> None:
    found = rendered(of(*small_run()))
    attention = found.tables[0]
    assert [row[0] for row in attention[1:] if row[0]] == ["full", "window:128"]
    assert "The largest problem of each kind; 16 further problems on the page." in found.paragraphs
    assert len(of(*small_run()).split("<details>")[0].splitlines()) < 40


def test_a_fault_comes_first_with_its_cause() -> None:
    found = rendered(of(*small_run(problems=PROBLEMS[:1])))
    assert found.paragraphs[0].startswith("off_by_one is wrong on ")
    assert "out: 41 times what rounding explains; query 17 sees keys 9..17" in found.paragraphs[0]
    clean = rendered(of(*without_faults(*small_run(problems=PROBLEMS[:1]))))
    assert clean.paragraphs[0] == clean.bold[0]
    assert "wrong" not in clean.paragraphs[0]


def test_what_was_refused_is_counted_within_the_details() -> None:
    made = of(*small_run(problems=PROBLEMS[:2]))
    assert "xformers refused on 2" in made.split("<details>")[-1]
    assert "refused" not in made.split("<details>")[0]


def test_a_run_without_times_says_so() -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    made = of(*without_faults(run, [r for r in records if not r.times_ms]))
    assert made.startswith("No time was taken in this run.\n")


def test_hostile_names_and_machines_are_shown_as_text() -> None:
    run, records = two(2.0)
    entries = (run.plan.entries[0], replace(run.plan.entries[1], name=HOSTILE))
    hostile = replace(
        run,
        plan=replace(run.plan, entries=entries),
        machine={**run.machine, "cpu": HOSTILE},
        command="python `````` ```",
    )
    records = [
        replace(r, implementation=HOSTILE) if r.implementation == "other" else r for r in records
    ]
    found = rendered(of(hostile, records))
    (only,) = found.tables
    assert [row[0] for row in only[1:]] == ["base", HOSTILE]
    assert {len(row) for row in only} == {5}
    assert found.kinds <= {"text", "strong_open", "strong_close", "code_inline", "html_inline"}
    assert "<img" not in of(hostile, records).replace("\\<img", "")
    assert found.blocks == ["python `````` ```"]


@pytest.mark.parametrize("text", [HOSTILE, "_a_ _b", "a_b_c", "[x]: y", "[x][y]", "1 < 2 > 1"])
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    found = rendered(f"{escaped(text)}\n\n{table(('problem', ''), [(escaped(text), 'x')])}\n")
    assert found.paragraphs == [text]
    assert found.tables[0][1][0] == text
    assert found.kinds == {"text"} or found.kinds <= {"text", "text_special"}


def test_a_summary_line_is_html_text() -> None:
    assert "<summary>a &lt;b&gt; &amp; c_d</summary>" in details("a <b> & c_d", [])


def test_a_name_is_a_code_span_unless_it_has_odd_characters() -> None:
    assert code("chunked[block_q=128]") == "`chunked[block_q=128]`"
    assert code("a|b") == "a\\|b"
    assert rendered(block("a ```` b")).blocks == ["a ```` b"]


def test_a_column_without_a_cell_is_left_out() -> None:
    made = table(("problem", "x ms", "verdict"), [("a", "", "same"), ("b", "", "same")])
    assert made.splitlines()[:2] == ["| problem | verdict |", "| --- | --- |"]


def test_a_comparison_begins_with_its_gate_and_shows_what_differs_most_first() -> None:
    found = compared(2.0, 2.1)
    judged = gate(found, 0.03)
    made = of_comparison(found, judged)
    assert rendered(made).bold[0] == sentence(judged, found)
    head, *rows = rendered(made).tables[0]
    assert head == ["implementation", "base ms", "new ms", "ratio [95 %]", "verdict"]
    assert [row[-1] for row in rows] == ["slower"]
    plain = rendered(of_comparison(found))
    assert plain.bold[0].startswith("2 comparisons: 1 slower")


def test_a_long_comparison_is_cut_and_says_how_much_is_left() -> None:
    found = implementations(*small_run(), "naive", "chunked")
    shown = rendered(of_comparison(found))
    (only,) = shown.tables
    assert len(only) == 1 + MOST_ROWS < 1 + len(found.rows)
    assert f"{len(found.rows) - MOST_ROWS} further comparisons: compare prints them all." in (
        shown.paragraphs
    )


def test_a_comparison_of_nothing_has_no_table() -> None:
    small, other = small_run(problems=PROBLEMS[:1]), small_run(problems=PROBLEMS[1:2])
    found = rendered(of_comparison(runs(*small, *other)))
    assert found.bold == ["Nothing was measured on both sides."]
    assert found.tables == []


def test_a_history_names_its_runs_and_has_each_change() -> None:
    run, records = two(2.0)
    later, slower = two(2.1)
    late = replace(renamed(later), started="2026-01-03T03:04:05+00:00")
    found = rendered(of_history(history([(run, records), (late, slower)])))
    assert found.paragraphs[0].startswith("2 runs, the oldest first: 1 2026-01-02-quick, 2 later")
    assert found.bold[0].startswith("2 comparisons: 1 slower")
    assert len(found.tables) == 1


def test_a_check_has_a_line_for_each_implementation_those_at_fault_first() -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    made = of_check(Analysis(run, records))
    lines = [line for line in made.splitlines() if line.startswith("- ")]
    assert len(lines) == len(run.plan.entries)
    sound = [not line.startswith("- **") for line in lines]
    assert sound == sorted(sound)
    assert "- naive agrees on 1 of 1 problem" in lines
    assert any("off_by_one is wrong: " in each for each in rendered(made).bold)
