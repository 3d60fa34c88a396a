"""Set-up and memory that is not seen, in tables, grids and charts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import measurement_columns
from reports.views.charts.sizes import charts
from reports.views.grids import memory_grid
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
