"""Times beside their counterparts: training, positions, 16 bits; page and terminal show them."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from impls.interface import Limits
from impls.interface.limits import EVERY_BIAS
from reports.analysis.counterparts import Counterpart, dtypes, encodings, trainings
from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.counterpart_tables import counterpart_tables
from reports.views.counterparts import QUESTIONS, Question
from reports.views.parts.counterparts import section
from suites.records.plan import Entry
from suites.records.record import CHECK, Record
from tests.saved_run import small_run

LIMITS = (Limits(biases=EVERY_BIAS),)
LAYER, ROTARY = "multi_head(sdpa_flash)", "multi_head[positions=rotary](sdpa_flash)"


def run_of(*problems: str, suite: str = "quick", slower: float = 3.0, on: str = "") -> Analysis:
    """Times of three; the problems whose text contains `on` take `slower` times as long."""
    made = tuple(Entry(name=name, limits=LIMITS) for name in ("sdpa_flash", LAYER, ROTARY))
    run, records = small_run(problems=problems, made=made)

    def changed(record: Record) -> Record:
        base = [1.0 + 0.01 * record.session] * len(record.times_ms)
        factor = slower if on and on in f"{record.problem} {record.implementation}" else 1.0
        return replace(record, times_ms=tuple(factor * each for each in base))

    timed = [record if record.session == CHECK else changed(record) for record in records]
    return Analysis(replace(run, plan=replace(run.plan, suite=suite)), timed)


def only(found: list[Counterpart], name: str) -> Counterpart:
    (one,) = (each for each in found if each.row.implementation == name)
    return one


def test_training_is_compared_with_forward_of_the_same_problem() -> None:
    found = trainings(run_of("h8 t256", "h8 t256 train", "h8 t512 train", on="train"))
    assert {str(each.row.problem) for each in found} == {"b1 h8 t256 d64 full fp32 train cpu"}
    one = only(found, "sdpa_flash")
    assert one.ratio == pytest.approx(3.0)
    assert one.sessions == 3


def test_the_backward_share_is_training_minus_forward_over_training() -> None:
    analysis = run_of("h8 t256", "h8 t256 train", on="train", suite="training", slower=4.0)
    made = section(analysis)
    assert made is not None
    assert made.heading == "The backward pass"
    assert not made.on_demand
    assert "estimate" in made.tables[0].caption
    assert made.tables[0].rows[0].cells[2].text.startswith("75 %")
    assert made.tables[0].rows[0].cells[2].order == pytest.approx(0.75)


def test_a_bias_is_compared_with_none_and_a_layer_with_the_layer_without_positions() -> None:
    found = encodings(run_of("h8 t256 causal", "h8 t256 causal alibi", on="alibi"))
    biased = [each for each in found if each.row.problem.bias.kind != "none"]
    assert {each.other.problem.bias.kind for each in biased} == {"none"}
    assert only(biased, "sdpa_flash").ratio == pytest.approx(3.0)
    (layer,) = (each for each in found if each not in biased)
    assert (layer.row.implementation, layer.other.implementation) == (ROTARY, LAYER)
    assert layer.ratio == pytest.approx(1.0)


def test_16_bits_are_compared_with_float32() -> None:
    found = dtypes(run_of("h8 t256", "h8 t256 bf16", "h8 t256 fp64", on="bf16", slower=0.5))
    assert {each.row.problem.dtype for each in found} == {"bfloat16"}
    assert only(found, "sdpa_flash").ratio == pytest.approx(0.5)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.suite)
def test_the_terminal_shows_the_table_of_the_suite_that_asks(question: Question) -> None:
    problems = ("h8 t256", "h8 t256 train", "h8 t256 alibi", "h8 t256 bf16")
    analysis = run_of(*problems, suite=question.suite)
    console = Console(width=120, record=True, file=StringIO())
    console.print(*counterpart_tables(analysis, every=False))
    own = console.export_text()
    assert question.heading in own
    assert [other.heading in own for other in QUESTIONS].count(True) == 1
    assert counterpart_tables(run_of(*problems), every=False) == []
    assert len(counterpart_tables(run_of(*problems), every=True)) == 2 * len(QUESTIONS)


def test_another_suite_shows_the_tables_on_demand_and_a_run_without_counterparts_none() -> None:
    made = section(run_of("h8 t256", "h8 t256 train", "h8 t256 bf16"))
    assert made is not None
    assert made.on_demand
    assert len(made.tables) == 3  # the layer with positions, too
    run, records = small_run(problems=("h8 t256", "h8 t512"))
    assert section(Analysis(run, records)) is None
