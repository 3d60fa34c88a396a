"""Panels: those that compute another function, or nearly the same, are never ranked with others."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from impls.interface import Limits
from reports.analysis.comparison import implementations
from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.outputs.terminal import run_tables
from reports.rows.measurements import measurements
from reports.rows.outcomes import outcomes
from reports.rows.panels import panels_of
from reports.views.charts.sizes import charts
from reports.views.grids import agreement_grid, error_grid, time_grid
from reports.views.panels import heading, note, prefix, slug, subject
from suites.records.plan import Entry
from suites.records.record import CHECK, Record
from suites.records.store import Run
from tests.reports.row_data import rows_of, verdicts
from tests.saved_run import agreement, facts, small_run

NAMES = {
    "naive": "attention",
    "sdpa_flash": "attention",
    "multi_head": "layers",
    "linear": "dense_linear",
    "linear[block=32]": "dense_linear",
    "performer": "approximations",
}


@pytest.fixture
def made() -> tuple[Run, list[Record]]:
    entries = tuple(Entry(name=n, limits=(Limits(),), panel=p) for n, p in NAMES.items())
    run, records = small_run(made=entries)
    far = agreement(400.0)
    far = replace(far, tensors=(replace(far.tensors[0], relative_rms=0.123),))
    records = [
        replace(r, agreement=far) if r.implementation == "performer" and r.agreement else r
        for r in records
    ]
    return run, records


def test_panels_have_a_fixed_order_and_a_heading_each(made: tuple[Run, list[Record]]) -> None:
    found = panels_of(made[0].plan)
    assert found == ["attention", "layers", "dense_linear", "approximations"]
    assert [subject(panel) for panel in found] == [
        "attention",
        "layers",
        "functions like dense_linear",
        "approximations",
    ]
    assert heading("dense_linear") == "Functions like dense_linear"
    assert [bool(note(panel)) for panel in found] == [False, True, True, True]
    assert "agrees with the reference dense_linear" in note("dense_linear")


def test_a_problem_that_a_whole_panel_refuses_has_no_row_of_dashes(
    made: tuple[Run, list[Record]],
) -> None:
    run, records = made
    declined, *others = run.plan.problems
    kept = [
        Record(
            session=CHECK,
            problem=each.problem,
            implementation=each.implementation,
            status="refused",
            cause="limits",
            reason="not its mask",
        )
        if (each.problem, each.implementation, each.session) == (declined, "performer", CHECK)
        else each
        for each in records
        if (each.problem, each.implementation) != (declined, "performer") or each.session == CHECK
    ]
    rows = time_grid(Analysis(run, kept), panel="approximations").rows
    assert len(rows) == len(others)
    assert len(time_grid(Analysis(run, kept), panel="attention").rows) == len(run.plan.problems)


def test_a_hostile_reference_name_makes_a_harmless_address() -> None:
    assert slug("<lambda>/../x") == "lambda-x"
    assert prefix("attention") == ""
    assert prefix("a b") == "a-b_"


def test_every_comparison_stays_within_a_panel(made: tuple[Run, list[Record]]) -> None:
    rows = verdicts(*made)
    pairs = {(row["panel"], row["baseline"], row["implementation"]) for row in rows}
    assert pairs == {
        ("attention", "naive", "sdpa_flash"),
        ("dense_linear", "linear", "linear[block=32]"),
    }
    with pytest.raises(ValueError, match="linear is in the panel dense_linear and naive"):
        implementations(*made, "linear", "naive")


def test_no_chart_holds_two_panels(made: tuple[Run, list[Record]]) -> None:
    for drawn in charts(Analysis(*made)):
        assert {NAMES[each.name] for each in drawn.series} == {drawn.panel}
        assert drawn.key.startswith(prefix(drawn.panel))


def test_an_approximation_shows_what_it_is_off_by_and_never_agrees(
    made: tuple[Run, list[Record]],
) -> None:
    run, records = made
    grid = error_grid(Analysis(run, records), panel="approximations")
    assert grid.columns == ("performer",)
    assert {cell.text for row in grid.rows for cell in row.cells} == {"12 %"}
    assert all(cell.error and not cell.least for row in grid.rows for cell in row.cells)
    assert error_grid(Analysis(run, records), panel="attention").is_empty
    for row in rows_of(outcomes(run, records)):
        assert (row["share"] is None) == (row["implementation"] == "performer")
    titles = {
        cell.text
        for row in agreement_grid(Analysis(run, records)).rows
        for name, cell in zip(NAMES, row.cells, strict=True)
        if name == "performer"
    }
    assert titles == {"off by 12 %"}


def test_only_attention_and_layers_have_a_share_of_the_attainable(
    made: tuple[Run, list[Record]],
) -> None:
    run, records = made
    for row in rows_of(measurements(replace(run, facts=facts(run.plan)), records)):
        held = NAMES[row["implementation"]] in ("attention", "layers")
        assert (row["share_of_attainable"] is not None) == held


def test_page_and_terminal_have_a_place_for_each_panel(made: tuple[Run, list[Record]]) -> None:
    text = page(Analysis(*made))
    for panel in panels_of(made[0].plan):
        assert f'<section id="{slug(panel)}">' in text
        assert heading(panel) in text
    written = StringIO()
    console = Console(width=200, file=written)
    for each in run_tables.summary(Analysis(*made), every=True):
        console.print(each)
    shown = written.getvalue()
    assert "Error of approximations" in shown
    assert "Time of functions like dense_linear" in shown


def test_approximations_of_another_function_are_not_said_to_agree() -> None:
    found = note("approximations of dense_linear (linear.py)")
    assert "approximations of dense_linear" in found
    assert "agrees" not in found
