"""Steps of models are a panel of their own, apart from calls of attention."""

from __future__ import annotations

from dataclasses import replace

from impls.interface import Limits
from reports.analysis.run_analysis import Analysis
from reports.rows.panels import ATTENTION, LAYERS, MODELS, names_of, panels_of, problems_of
from suites.records.plan import Entry
from tests.models_run import NAMES, PREFILL, STEPS, models_run

ALONE = replace(PREFILL, model="")


def test_a_run_of_both_has_a_panel_for_each() -> None:
    analysis = Analysis(*models_run([ALONE, PREFILL]))
    assert panels_of(analysis.plan) == [ATTENTION, MODELS]
    assert problems_of(analysis.plan, ATTENTION) == [ALONE]
    assert problems_of(analysis.plan, MODELS) == [PREFILL]
    assert names_of(analysis.plan, MODELS) == names_of(analysis.plan, ATTENTION) == list(NAMES)
    for rows in (analysis.measurements, analysis.outcomes, analysis.verdicts):
        assert {(row.problem, row.panel) for row in rows} == {(ALONE, ATTENTION), (PREFILL, MODELS)}
    assert {place[::2] for place in analysis.rankings} == {(ALONE, ATTENTION), (PREFILL, MODELS)}


def test_a_run_of_models_alone_has_no_panel_of_attention_and_none_of_layers_with_times() -> None:
    run, records = models_run()
    layer = Entry(name="multi_head", limits=(Limits(),), panel=LAYERS)
    plan = replace(run.plan, entries=(*run.plan.entries, layer))
    assert panels_of(run.plan) == [MODELS]
    assert panels_of(plan) == [MODELS]
    assert {row.problem for row in Analysis(run, records).measurements} == set(STEPS)
