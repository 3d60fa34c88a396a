"""Steps of models in words: titles, savings, sentences, charts; and where they are not shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Problem
from reports.analysis.growth.growth import growth
from reports.analysis.in_models import Part, in_models
from reports.analysis.ranking.dispatch import dispatch
from reports.analysis.roofline import rooflines
from reports.analysis.run_analysis import Analysis
from reports.views import answer
from reports.views.charts.in_models import MOST_ROWS, in_model_charts
from reports.views.charts.sizes import charts
from reports.views.grids import memory_grid, read_grid, time_grid, token_grid
from reports.views.in_models import beside, bound, outside, part, saved, sentences
from reports.views.model_titles import titles
from reports.views.parts import model_layers
from reports.views.parts.in_models import section
from tests.models_run import DECODE, PREFILL, STEPS, TRAINING, models_run

LENGTHS = tuple(f"b1 h8/2 t{length} d64 causal fp32 model:llama" for length in (128, 256, 512))
ALONE = tuple(f"b1 h8/2 t{length} d64 causal fp32" for length in (128, 256, 512))


def test_titles_have_the_words_that_set_problems_apart() -> None:
    assert titles(STEPS) == {
        PREFILL: "llama, prefill",
        DECODE: "llama, one token",
        TRAINING: "bert, training step",
    }
    found = titles(map(Problem.parse, LENGTHS))
    assert list(found.values()) == [f"llama, forward t{each}" for each in (128, 256, 512)]


def test_the_part_of_a_step_has_its_spread() -> None:
    assert part(Part(0.23, 0.21, 0.25)) == "23 % (21 to 25)"
    assert part(Part(0.23, 0.23, 0.23)) == "23 %"
    assert part(None) == ""


def test_a_row_has_the_bound_and_both_savings() -> None:
    _, naive, chunked = in_models(Analysis(*models_run([PREFILL])))
    assert bound(naive) == bound(chunked) == "20 %, 1.25x"
    assert part(naive.by_attention) == "-20 %"
    assert saved(naive).startswith("-20 % [-2")
    assert (beside(naive), beside(chunked)) == ("within", "less")


def test_an_end_far_below_zero_is_shown_as_less() -> None:
    _, naive, _ = in_models(Analysis(*models_run([PREFILL])))
    assert naive.judged is not None
    wide = replace(naive, judged=replace(naive.judged, high=600.0, low=0.001))
    assert saved(wide) == "-20 % [<-1000, 99.9]"


def test_sentences_have_the_share_the_best_and_what_attention_does_not_explain() -> None:
    rows = in_models(Analysis(*models_run([PREFILL], names=("naive", "sdpa", "chunked"))))
    first, *others = sentences(rows)
    assert first.startswith(
        "llama, prefill: attention is 33 % of the step with naive, the most to save; sdpa saves 17 "
    )
    assert others == outside(rows)
    (said,) = others
    assert said.startswith("llama, prefill: the measured saving by chunked, -8")
    assert "is less than the 25 % by its attention" in said
    assert said.endswith("the step takes more time than with naive.")


def test_where_nothing_is_shown_to_save_time_the_sentence_says_so() -> None:
    (said, _) = sentences(in_models(Analysis(*models_run([PREFILL]))))
    assert said.endswith("no other is shown to save time.")
    (alone,) = sentences(in_models(Analysis(*models_run([PREFILL], names=("sdpa",)))))
    assert alone == "llama, prefill: attention is 20 % of the step with sdpa, the most to save."


def test_many_sentences_are_counted() -> None:
    problems = [f"b1 h8 t{length} d64 causal fp32 model:llama" for length in range(64, 84)]
    found = sentences(in_models(Analysis(*models_run(problems, names=("sdpa", "naive")))))
    assert found[-1] == "12 more: in the table."
    assert len(found) == 9


def test_the_section_has_a_chart_and_two_tables_for_every_row() -> None:
    made = section(Analysis(*models_run()))
    assert made is not None
    assert [len(table.rows) for table in made.tables] == [9, 9]
    assert [chart.label for chart in made.charts] == list(titles(STEPS).values())
    for table in made.tables:
        assert {len(row.cells) for row in table.rows} == {len(table.head)}
        assert all("model:" in row.command for row in table.rows)


def test_with_several_numbers_of_threads_tables_have_them_first() -> None:
    made = section(Analysis(*models_run([PREFILL], threads=(1, 2))))
    assert made is not None
    for table in made.tables:
        assert table.head[0] == "threads"
        assert [row.cells[0].text for row in table.rows] == ["1"] * 3 + ["2"] * 3
    assert len(made.charts) == 1


def test_a_run_of_calls_alone_has_no_such_section() -> None:
    analysis = Analysis(*models_run(ALONE))
    assert section(analysis) is None
    assert model_layers.section(analysis) is None


def test_layers_are_opened_on_demand() -> None:
    made = model_layers.section(Analysis(*models_run([TRAINING])))
    assert made is not None
    assert made.on_demand
    cells = [[value.text for value in row.cells] for row in made.tables[0].rows]
    assert cells[0] == [
        *("bert, training step", "sdpa", "layers.0.attn", "1"),
        *("0.250", "0.750", "10 %"),
    ]


def test_bars_are_the_time_of_a_step_divided_by_the_share_of_attention() -> None:
    analysis = Analysis(*models_run([PREFILL]))
    (chart,) = in_model_charts(analysis, in_models(analysis))
    attention, rest = chart.series
    assert attention.x == pytest.approx((2.0, 4.0, 1.0), rel=0.01)
    assert rest.x == pytest.approx((8.0, 8.0, 12.0), rel=0.01)
    assert chart.rows[0] == "sdpa\n10.0 ms"
    assert chart.rows[1].startswith("naive\n12.0 ms, saved -20 % [")


def test_bars_beyond_the_most_are_counted() -> None:
    analysis = Analysis(*models_run([PREFILL]))
    base, *others = in_models(analysis)
    many = [replace(others[0], implementation=f"n{place}") for place in range(MOST_ROWS + 1)]
    (chart,) = in_model_charts(analysis, [base, *many])
    assert len(chart.rows) == MOST_ROWS
    assert "2 slower implementations not drawn." in chart.note


def test_headings_of_steps_are_apart_from_those_of_attention() -> None:
    analysis = Analysis(*models_run([ALONE[1], LENGTHS[1], DECODE]))
    of_calls = time_grid(analysis, panel="attention")
    of_steps = time_grid(analysis, panel="models")
    assert (of_calls.title, of_steps.title) == ("Time of attention", "Time of model steps")
    assert [row.problem for row in of_calls.rows] == [Problem.parse(ALONE[1])]
    assert [row.problem for row in of_steps.rows] == [Problem.parse(LENGTHS[1]), DECODE]
    assert token_grid(analysis, panel="attention").rows == ()
    assert [row.problem for row in token_grid(analysis, panel="models").rows] == [DECODE]
    assert memory_grid(analysis, panel="models").title == "Memory of model steps"


def test_charts_over_lengths_name_the_model() -> None:
    found = charts(Analysis(*models_run([*ALONE, *LENGTHS])))
    titled = {(chart.panel, chart.title) for chart in found}
    assert ("attention", "Time against sequence length") in titled
    assert ("models", "Time of model steps against sequence length") in titled
    for chart in found:
        assert ("in llama" in chart.common) == (chart.panel == "models")


def test_what_is_of_attention_alone_leaves_steps_out() -> None:
    analysis = Analysis(*models_run([*ALONE, *LENGTHS, DECODE]))
    assert {found.panel for found in rooflines(analysis)} == {"attention"}
    assert {found.family.panel for found in growth(analysis)} == {"attention"}
    assert read_grid(analysis, panel="models").rows == ()
    assert {row["panel"] for row in dispatch(analysis)["problems"]} == {"attention"}
    of_models = [row for row in analysis.measurements if row.problem.model]
    assert of_models
    assert all(row.share_of_attainable is None for row in of_models)


def test_the_answer_names_the_model_and_the_step() -> None:
    found = answer.sentences(Analysis(*models_run([ALONE[0], PREFILL, TRAINING])))
    starts = [said.partition(": use")[0] for said in found]
    assert starts[0] == "causal b1"
    assert starts[1] == "llama, prefill, causal b1"
    assert starts[2] == "bert, training step, padding:0.75 b4"
