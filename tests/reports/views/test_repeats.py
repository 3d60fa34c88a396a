"""Two lines on repeated calls and batches, and their table on the page."""

from __future__ import annotations

from dataclasses import replace

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.views.parts import repeats
from reports.views.repeats import repeat_lines
from suites.records.record import CHECK, Agreement, Record
from tests.saved_run import PROBLEMS, TWO, small_run


def checked(problem: str, agreement: Agreement | None) -> Record:
    return Record(
        session=CHECK,
        problem=Problem.parse(problem),
        implementation="mine",
        status="ok",
        agreement=agreement,
    )


def test_a_forward_problem_has_one_tensor_and_training_four() -> None:
    found = Agreement(repeats=10, differing=("dq",), batch_differs_from=2)
    assert repeat_lines([checked("t8 train", found)]) == [
        "bitwise equal over 10 repeats: out yes, dq no, dk yes, dv yes",
        "a row is independent of its batch: no (differs from batch 2 on)",
    ]
    found = Agreement(repeats=10, batch_differs_from=0)
    assert repeat_lines([checked("t8", found)]) == [
        "bitwise equal over 10 repeats: out yes",
        "a row is independent of its batch: yes",
    ]


def test_one_record_with_other_bits_decides_over_all_of_them() -> None:
    equal = Agreement(repeats=10, batch_differs_from=0)
    other = Agreement(repeats=10, differing=("out",), batch_differs_from=8)
    fewer = Agreement(repeats=10, batch_differs_from=4)
    assert repeat_lines([checked("t8", each) for each in (equal, other, fewer, equal)]) == [
        "bitwise equal over 10 repeats: out no",
        "a row is independent of its batch: no (differs from batch 4 on)",
    ]


def test_what_was_not_tested_has_no_line() -> None:
    assert repeat_lines([]) == []
    assert repeat_lines([checked("t8", None), checked("t8", Agreement())]) == []
    assert repeat_lines([checked("t8", Agreement(repeats=10))]) == [
        "bitwise equal over 10 repeats: out yes"
    ]


def test_the_page_has_a_row_for_each_implementation_and_none_for_untested_ones() -> None:
    run, records = small_run(problems=PROBLEMS[:2], made=TWO)
    assert repeats.section(Analysis(run, records)) is None
    found = Agreement(repeats=10, differing=("out",), batch_differs_from=2)
    tested = [
        replace(each, agreement=found)
        if each.implementation == "base" and each.agreement is not None
        else each
        for each in records
    ]
    section = repeats.section(Analysis(run, tested))
    assert section is not None
    (row,) = section.tables[0].rows
    assert [cell.text for cell in row.cells] == [
        "base",
        "out no",
        "no (differs from batch 2 on)",
    ]
    assert "bitwise equal over 10 repeats" in page(Analysis(run, tested))
