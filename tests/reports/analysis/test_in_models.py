"""Steps of models: the share of attention, the bound, and what an implementation saves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.in_models import (
    COLUMNS,
    InModelRow,
    Part,
    in_model_columns,
    in_models,
    layers,
)
from reports.analysis.run_analysis import Analysis
from tests.models_run import NAMES, PREFILL, STEPS, TRAINING, models_run


@pytest.fixture(scope="module")
def rows() -> dict[str, InModelRow]:
    """The rows of one step by implementation."""
    found = in_models(Analysis(*models_run([PREFILL])))
    return {row.implementation: row for row in found}


def middle(part: Part | None) -> float:
    assert part is not None
    assert part.low <= part.value <= part.high
    return part.value


def test_a_row_for_each_step_and_implementation_the_baseline_first() -> None:
    found = in_models(Analysis(*models_run()))
    places = [(row.problem, row.implementation) for row in found]
    assert places == [(problem, name) for problem in STEPS for name in NAMES]


def test_a_call_of_attention_alone_has_no_row() -> None:
    alone = replace(PREFILL, model="")
    found = in_models(Analysis(*models_run([alone, PREFILL])))
    assert {row.problem for row in found} == {PREFILL}


def test_the_share_of_the_baseline_bounds_every_row(rows: dict[str, InModelRow]) -> None:
    assert [middle(row.free) for row in rows.values()] == [pytest.approx(0.2, rel=0.01)] * 3
    assert middle(rows["naive"].attention) == pytest.approx(4 / 12, rel=0.01)


def test_savings_by_attention_are_of_the_step_of_the_baseline(rows: dict[str, InModelRow]) -> None:
    assert rows["sdpa"].by_attention is None
    assert middle(rows["naive"].by_attention) == pytest.approx(-0.2, rel=0.01)
    assert middle(rows["chunked"].by_attention) == pytest.approx(0.1, rel=0.01)


def test_the_measured_saving_is_1_minus_the_ratio(rows: dict[str, InModelRow]) -> None:
    assert rows["sdpa"].saved is None
    assert rows["sdpa"].judged is None
    assert rows["naive"].saved == pytest.approx(-0.2, rel=0.02)
    judged = rows["chunked"].judged
    assert judged is not None
    assert judged.ratio is not None
    assert rows["chunked"].saved == 1 - judged.ratio == pytest.approx(-0.3, rel=0.02)
    assert judged.high is not None
    assert rows["chunked"].saved_in == (1 - judged.high, 1 - (judged.low or 0.0))


def test_a_saving_that_attention_does_not_explain_is_named(rows: dict[str, InModelRow]) -> None:
    assert rows["chunked"].beside == "less"
    assert rows["sdpa"].beside == ""
    swapped = in_models(Analysis(*models_run([PREFILL], names=("chunked", "sdpa"))))
    assert [row.beside for row in swapped] == ["", "more"]


def test_of_one_session_nothing_is_concluded() -> None:
    found = in_models(Analysis(*models_run([PREFILL], sessions=1)))
    assert [row.beside for row in found] == ["", "", ""]


def test_a_run_without_times_of_attention_has_its_steps() -> None:
    run, records = models_run([PREFILL])
    found = in_models(Analysis(run, [replace(each, in_model=None) for each in records]))
    assert [(row.attention, row.free, row.by_attention) for row in found] == [(None,) * 3] * 3
    assert [row.saved for row in found][1:] == [
        pytest.approx(-0.2, rel=0.02),
        pytest.approx(-0.3, rel=0.02),
    ]
    assert layers(Analysis(run, [replace(each, in_model=None) for each in records])) == []


def test_layers_are_those_of_the_baseline_with_both_passes() -> None:
    found = layers(Analysis(*models_run([PREFILL, TRAINING])))
    assert [(row.problem, row.implementation, row.layer) for row in found] == [
        (problem, "sdpa", f"layers.{place}.attn")
        for problem in (PREFILL, TRAINING)
        for place in (0, 1)
    ]
    assert [(row.forward_ms, row.backward_ms) for row in found] == [
        *[(1.0, None)] * 2,
        *[(0.25, 0.75)] * 2,
    ]
    assert [row.share for row in found] == [pytest.approx(0.1, rel=0.01)] * 4


def test_layers_that_differ_are_shown_for_every_implementation() -> None:
    found = layers(Analysis(*models_run([PREFILL], slow_layer=3.0)))
    assert list(dict.fromkeys(row.implementation for row in found)) == list(NAMES)
    assert [row.forward_ms for row in found][:2] == [0.5, 1.5]


def test_columns_are_as_listed_and_plain(rows: dict[str, InModelRow]) -> None:
    for row in rows.values():
        found = in_model_columns(row)
        assert tuple(found) == COLUMNS
        assert all(isinstance(each, str | int | float | None) for each in found.values())
    assert in_model_columns(rows["naive"])["step"] == "prefill"
