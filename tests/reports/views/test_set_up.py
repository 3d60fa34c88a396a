"""Set-up and memory that is not seen, in tables, grids and charts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.stream import streams
from reports.rows.measurements import measurement_columns
from reports.rows.timings import session_ms
from reports.views.charts.sizes import charts
from reports.views.grids import memory_grid, token_grid
from reports.views.stream import stream_grid
from reports.views.tables import measurement_table
from suites.records.record import CHECK
from tests.saved_run import small_run

UNSEEN = "memory of onnxruntime is not seen by torch's allocator"


def with_changes(timed: dict[str, Any], check: dict[str, Any]) -> Analysis:
    """A small run in which the records of `chunked` have other values."""
    run, records = small_run()
    return Analysis(
        run,
        [
            replace(r, **(check if r.session == CHECK else timed))
            if r.implementation == "chunked" and r.status == "ok"
            else r
            for r in records
        ],
    )


def columns_of(analysis: Analysis, name: str) -> dict[str, str]:
    """The first row of an implementation, by the heading of its columns."""
    table = measurement_table(analysis)
    row = next(row for row in table.rows if row.cells[1].text == name)
    return dict(zip(table.head, (cell.text for cell in row.cells), strict=True))


def test_a_run_without_a_step_that_prepares_has_no_columns_of_set_up() -> None:
    head = measurement_table(Analysis(*small_run())).head
    assert "prepare ms" not in head
    assert "compilations" not in head


def test_set_up_has_columns_beside_the_first_call_where_some_row_has_it() -> None:
    analysis = with_changes({"prepare_ms": 12.5, "compilations": 2}, {})
    shown = columns_of(analysis, "chunked")
    assert (shown["prepare ms"], shown["compilations"]) == ("12.5", "2.00")
    assert columns_of(analysis, "naive")["prepare ms"] == "none"
    row = next(row for row in analysis.measurements if row.implementation == "chunked")
    exported = measurement_columns(row)
    assert (exported["prepare_ms"], exported["compilations"]) == (12.5, 2)


def test_a_run_that_keeps_compiled_code_sums_its_stream_up() -> None:
    timed = {"prepare_ms": 12.5, "compilations": 2, "set_up_bytes": 3 << 20}
    analysis = with_changes(timed, {})
    panel = analysis.plan.entries[0].panel
    assert stream_grid(analysis, panel=panel).is_empty
    kept = replace(analysis.plan, keep_compiled=True)
    kept_run = replace(analysis.run, plan=kept)
    grid = stream_grid(Analysis(kept_run, analysis.records), panel=panel)
    place = grid.columns.index("chunked")
    found = {row.label: row.cells[place].level for row in grid.rows}
    own = [r for r in analysis.records if r.implementation == "chunked" and r.times_ms]
    of_second = [r for r in own if r.session == 2]  # the median of three that grow by session
    first_ms = sum((r.first_call_ms or 0) + 12.5 for r in of_second)
    assert found["ms of all first calls, set-up included"] == pytest.approx(first_ms)
    per_call = found["ms of a first call, set-up spread over all"]
    assert per_call == pytest.approx(first_ms / len(of_second))
    assert found["ms of all calls, warm"] == pytest.approx(sum(map(session_ms, of_second)))
    assert found["graphs compiled"] == 2 * len(of_second)
    assert found["growth of resident memory, MiB"] == len(of_second) * 3 << 20
    assert "local_window" not in grid.columns  # it has no time for the full masks


def test_a_compilation_counts_once_in_a_stream_whichever_problem_pays_for_it() -> None:
    run, records = small_run(problems=("h2 t8 d8", "h2 t9 d8", "h2 t10 d8"))
    order = {1: 8, 2: 9, 3: 10}
    made = [
        replace(r, compilations=int(order[r.session] == r.problem.query_length))
        if r.times_ms
        else r
        for r in records
    ]
    kept = replace(run, plan=replace(run.plan, keep_compiled=True))
    (*_, each) = streams(Analysis(kept, made), kept.plan.entries[0].panel)
    assert (each.calls, each.compilations) == (3, 1)


def test_time_per_new_token_is_shown_where_older_tokens_are_in_the_cache() -> None:
    problems = ("h2 t1/64 d8", "h2 t64 d8", "h2 t4/64 d8 causal")
    analysis = Analysis(*small_run(problems=problems))
    panel = analysis.plan.entries[0].panel
    grid = token_grid(analysis, panel=panel)
    assert [row.problem for row in grid.rows] == [Problem.parse(problems[i]) for i in (0, 2)]
    decode = next(r for r in analysis.measurements if r.problem == Problem.parse(problems[0]))
    assert decode.us_per_token == pytest.approx(1000 * decode.median_ms)
    square = next(r for r in analysis.measurements if r.problem == Problem.parse(problems[1]))
    assert square.us_per_token == pytest.approx(1000 * square.median_ms / 64)
    assert measurement_columns(square)["us_per_token"] == square.us_per_token
    assert "us per token" in measurement_table(analysis).head
    assert "us per token" not in measurement_table(Analysis(*small_run())).head
    assert token_grid(Analysis(*small_run()), panel=panel).is_empty


def test_memory_that_is_not_seen_is_never_a_number() -> None:
    unseen = {"peak_bytes": None, "kept_bytes": None, "resident_bytes": 3 << 20, "unseen": UNSEEN}
    analysis = with_changes({}, unseen)
    shown = columns_of(analysis, "chunked")
    assert (shown["peak MiB"], shown["resident MiB"]) == ("not seen", "3.00")
    panel = analysis.plan.entries[0].panel
    grid = memory_grid(analysis, panel=panel)
    place = grid.columns.index("chunked")
    cells = [row.cells[place] for row in grid.rows if row.cells[place].state == "timed"]
    assert {(cell.text, cell.title) for cell in cells} == {("not seen (3.00 resident)", UNSEEN)}
    assert not any(cell.least for cell in cells)
    row = next(row for row in analysis.measurements if row.implementation == "chunked")
    assert measurement_columns(row)["unseen"] == UNSEEN
    assert any("not seen" in str(chart) for chart in charts(analysis))
