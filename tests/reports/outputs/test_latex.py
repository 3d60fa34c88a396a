"""Tables for papers: what they say, and that LaTeX reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reports.outputs.export.export import export
from reports.outputs.export.formats.as_latex import MOST_ROWS, escaped
from suites.records.record import Record
from suites.records.store import Run
from tests.reports.outputs.tex import Read, plain, tables
from tests.saved_run import PROBLEMS, small_run, stored, two


def made(folder: Path, run: Run, records: Sequence[Record]) -> list[Read]:
    (file,) = export(stored(run, records), run, "latex", folder / "run.tex")
    return tables(file.read_text())


def test_a_table_has_a_row_for_each_implementation_and_says_n_interval_and_machine(
    tmp_path: Path,
) -> None:
    attention, layers = made(tmp_path, *small_run(problems=PROBLEMS[:1], sessions=4))
    assert attention.environment == "table"
    assert [row[0] for row in attention.rows] == ["sdpa_flash", "chunked", "sdpa_math", "naive"]
    assert attention.columns == "lrrr"
    assert "(n = 4 sessions)" in attention.caption
    assert "to that of naive with its 95 % confidence interval over sessions" in attention.caption
    assert "Example CPU 9000, cores 2" in attention.caption
    assert "2026-01-02 03:04:05 UTC" in attention.caption
    assert "to that of multi_head with" in layers.caption


def test_the_ratios_have_their_intervals_and_the_baseline_has_none(tmp_path: Path) -> None:
    (table,) = made(tmp_path, *two(2.0))
    base, other = table.rows
    assert (base[0], base[2]) == ("base", "")
    assert other[2].startswith("2.0")
    assert other[2].endswith("]")


def test_several_problems_stand_in_a_column_of_their_own(tmp_path: Path) -> None:
    attention, _ = made(tmp_path, *small_run(problems=PROBLEMS[:2]))
    assert [row[0] for row in attention.rows] == ["t128", "", "", "", "t256", "", "", ""]
    assert "Attention on b1 h8 d64 full fp32 cpu" in attention.caption


def test_the_number_of_sessions_has_a_column_where_it_differs(tmp_path: Path) -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    fewer = [r for r in records if (r.implementation, r.session) != ("chunked", 3)]
    attention, _ = made(tmp_path, run, fewer)
    assert {row[0]: row[-1] for row in attention.rows}["chunked"] == "2"
    assert "(n = 2 to 3 sessions)" in attention.caption


def test_a_long_table_goes_over_pages(tmp_path: Path) -> None:
    attention, layers = made(tmp_path, *small_run())
    assert len(attention.rows) > MOST_ROWS >= len(layers.rows)
    assert (attention.environment, layers.environment) == ("longtable", "table")


def test_a_run_without_times_is_a_comment(tmp_path: Path) -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    (file,) = export(
        stored(run, [r for r in records if not r.times_ms]), run, "latex", tmp_path / "run.tex"
    )
    assert tables(file.read_text()) == []
    assert "No time was taken" in file.read_text()


@pytest.mark.parametrize(
    "text",
    [r"a_b & c% $x$ #1 {y} \input{z} ~ ^ < > |", "100 % -- of --all", "a\nb", "[1, 2]*", "…"],
)
def test_a_text_is_printed_as_it_is(text: str) -> None:
    assert plain(escaped(text)) == text.replace("\n", " ")


def test_a_character_beyond_ascii_is_its_code_point() -> None:
    assert escaped("é") == "[U+00E9]"


def test_a_hostile_name_and_machine_break_no_table(tmp_path: Path) -> None:
    run, records = two(2.0)
    name = "*é & \\end{tabular} $%#_{"
    entries = (run.plan.entries[0], replace(run.plan.entries[1], name=name))
    hostile = replace(
        run,
        plan=replace(run.plan, entries=entries),
        machine={**run.machine, "cpu": "\\input{/etc/passwd} }{ %"},
    )
    renamed = [
        replace(r, implementation=name) if r.implementation == "other" else r for r in records
    ]
    (table,) = made(tmp_path, hostile, renamed)
    assert table.rows[1][0] == name.replace("é", "[U+00E9]")
    assert "\\input{/etc/passwd} }{ %" in table.caption
