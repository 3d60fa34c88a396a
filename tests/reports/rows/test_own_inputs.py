"""Errors on the user's own inputs beside those on random ones, as rows, on the page and typed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.evidence import evidence
from reports.rows.own_inputs import own_inputs
from reports.views.commands import interleaved_command, repeat_command
from reports.views.parts.own_inputs import section
from suites.records.input_files import InputFile
from suites.records.record import CHECK, Agreement, OnInputs, Record, TensorError
from suites.records.store import Run
from tests.saved_run import small_run

FILE: Final = "/home/me/call.pt"


def error(relative: float, tensor: str = "out") -> TensorError:
    return TensorError(
        tensor=tensor, rms_share=relative, worst_share=0.0, relative_rms=relative, max_error=0.0
    )


def run_on_file() -> tuple[Run, list[Record]]:
    """The small run on its first problem, with a file of inputs of that problem."""
    run, records = small_run()
    problem = run.plan.problems[0]
    file = InputFile(problem=problem, path=FILE, sha256="0" * 64, changes=("--dtype", "float32"))
    agreement = Agreement(
        tensors=(error(0.1),),
        on_inputs=(OnInputs(file="call.pt", tensors=(error(0.3), error(0.5, "dq"))),),
    )
    found = [
        replace(record, agreement=agreement)
        for record in records
        if record.session == CHECK and record.problem == problem and record.status == "ok"
    ]
    return replace(run, plan=replace(run.plan, inputs=(file,))), found


def test_a_row_has_the_error_on_both_kinds_of_inputs() -> None:
    run, records = run_on_file()
    rows = [row for row in own_inputs(run, records) if row.implementation == "naive"]
    assert [(row.file, row.tensor, row.error, row.random_error) for row in rows] == [
        ("call.pt", "out", 0.3, 0.1),
        ("call.pt", "dq", 0.5, None),
    ]
    assert [(row.share, row.random_share) for row in rows] == [(0.15, 0.05), (0.25, None)]


def test_the_evidence_of_an_answer_has_both_errors_of_the_output() -> None:
    _, records = run_on_file()
    found = evidence(records[:1], "attention")
    assert (found.relative_error, found.own_error, found.share) == (0.1, 0.3, 0.25)


def test_the_page_has_a_table_of_them_only_with_files() -> None:
    run, records = run_on_file()
    found = section(Analysis(run, records))
    assert found is not None
    cells = [cell.text for cell in found.tables[0].rows[0].cells]
    assert cells[1:7] == ["naive", "call.pt", "out", "0.3", "0.1", "3"]
    assert section(Analysis(replace(run, plan=replace(run.plan, inputs=())), records)) is None


def test_commands_name_the_file_and_what_was_changed_of_its_problem() -> None:
    run, _ = run_on_file()
    problem, (base, new, *_) = run.plan.problems[0], run.plan.entries
    files = run.plan.inputs_of(problem)
    start = f'python run_bench.py run --inputs "{FILE}" --dtype float32 --impl '
    assert repeat_command(problem, new, files) == f'{start}"{new.name}"'
    assert interleaved_command(problem, base, new, files=files).startswith(start)
    assert run.plan.inputs_of(run.plan.problems[1]) == ()
