"""Evidence besides the gate: on the page, in its titles, and in every export."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

from reports.analysis.run_analysis import Analysis
from reports.outputs.export.export import export
from reports.outputs.html.page import page
from reports.views.evidence import Summary, summaries
from reports.views.grids import agreement_grid
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import PROBLEMS, TWO, small_run, stored


def checked(record: Record, *, other_bits: bool = False) -> Record:
    """A check with all evidence; it is worse on the larger problem."""
    if record.agreement is None:
        return record
    (tensor,) = record.agreement.tensors
    large = record.problem == PROBLEMS[1]
    tensors = (
        replace(tensor, worst_row=4e-7 if large else 2e-7, cosine=1 - (2e-6 if large else 1e-6)),
        replace(tensor, tensor="dq", worst_row=1e-7, cosine=None),
    )
    told = replace(
        record.agreement,
        tensors=tensors,
        repeatable=not (large and other_bits),
        slope=-2e-4 if large else 1e-4,
        hard_inputs=0 if large else 12,
    )
    return replace(record, agreement=told)


def told_run(*, other_bits: bool = False) -> tuple[Run, list[Record]]:
    """`base` has all evidence, `other` none beyond the gate."""
    run, records = small_run(problems=PROBLEMS[:2], made=TWO)
    made = [checked(r, other_bits=other_bits) if r.implementation == "base" else r for r in records]
    return run, made


def test_an_implementation_has_the_worst_of_all_its_problems() -> None:
    assert summaries(Analysis(*told_run())) == [
        Summary(
            implementation="base",
            compared=2,
            worst_row="4e-07",
            cosine="0.999998",
            repeatable="the same bits",
            slope="0.02 %",
            hard_inputs="12 correct",
        )
    ]


def test_other_bits_are_counted() -> None:
    (told,) = summaries(Analysis(*told_run(other_bits=True)))
    assert told.repeatable == "other bits on 1 of 2"


def test_a_cell_of_the_agreement_grid_has_the_evidence_in_its_title() -> None:
    grid = agreement_grid(Analysis(*told_run(other_bits=True)))
    titles = [row.cells[0].title for row in grid.rows]
    assert titles[0].endswith(
        "; worst row off by 2e-07; cosine 0.999999; scale off by 0.01 %; "
        "a second call gave the same bits; 12 hard inputs correct"
    )
    assert titles[1].endswith("scale off by 0.02 %; a second call gave other bits")
    assert "worst row" not in grid.rows[0].cells[1].title


def test_the_page_has_a_table_of_it_where_anything_is_known() -> None:
    text = page(Analysis(*told_run()))
    section = text[text.index("Further evidence") : text.index('id="not-measured"')]
    assert "<td>4e-07</td>" in section
    assert "<td>12 correct</td>" in section
    assert "other" not in section
    assert "Further evidence" not in page(Analysis(*small_run(problems=PROBLEMS[:2], made=TWO)))


def test_exports_have_it_in_columns_and_nothing_for_records_of_old(tmp_path: Path) -> None:
    run, records = told_run()
    path, _ = export(stored(run, records), run, "csv", tmp_path / "run.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    told = {name: rows[0][name] for name in ("worst_row", "slope", "repeatable", "hard_inputs")}
    assert told == {
        "worst_row": "2e-07",
        "slope": "0.0001",
        "repeatable": "True",
        "hard_inputs": "12",
    }
    old = next(row for row in rows if row["implementation"] == "other")
    assert old["worst_row"] == old["cosine"] == old["slope"] == old["repeatable"] == ""
    (path,) = export(stored(run, records), run, "json", tmp_path / "run.json")
    data = json.loads(path.read_text("utf-8"))
    for table in ("measurements", "outcomes"):
        assert data[table][0]["cosine"] == 1 - 1e-6
        assert data[table][0]["repeatable"] is True
        assert data[table][1]["slope"] is None
