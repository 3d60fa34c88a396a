"""Tails on the page, in the terminal and in exports; none of them without --tail."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import COLUMNS, tail_columns
from reports.outputs.export.export import export
from reports.outputs.html.page import page
from reports.outputs.terminal.run_tables import summary
from reports.outputs.terminal.tail_table import MOST_ROWS, tail_table
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import small_run, stored
from tests.tail_run import tail_run


def terminal(analysis: Analysis, width: int = 80) -> str:
    kept = io.StringIO()
    Console(file=kept, width=width).print(*summary(analysis), sep="\n")
    return kept.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("made", [small_run(), tail_run(tail=False)], ids=["usual", "single calls"])
def test_a_run_without_tail_shows_no_percentile(
    made: tuple[Run, list[Record]], tmp_path: Path
) -> None:
    analysis = Analysis(*made)
    shown = page(analysis).partition("<style>")[0] + page(analysis).rpartition("</style>")[2]
    for text in (shown.partition("<script>")[0], terminal(analysis)):
        assert "p99" not in text
        assert "p95" not in text
    run, records = made
    assert len(export(stored(run, records), run, "csv", tmp_path / "run.csv")) == 2
    assert len(export(stored(run, records), run, "parquet", tmp_path / "run.parquet")) == 1
    export(stored(run, records), run, "json", tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["tails"] == []


def test_page_and_terminal_have_the_percentiles_with_their_intervals() -> None:
    analysis = Analysis(*tail_run(disturbed=[3]))
    row = analysis.tails[0]
    p99 = row.percentiles[-1]
    assert p99 is not None
    figure = f"{p99.value:.2f} [{p99.low:.2f}, {p99.high:.2f}]"
    shown = page(analysis)
    for text in (re.sub("<[^>]*>", "", shown), words(terminal(analysis))):
        assert figure in text
        assert "those of disturbed rounds included" in text
        assert "0.25 % of the calls were in disturbed rounds" in text
        assert "The p99 of sessions differs by up to 1.0" in text
        assert "The clock advances in steps of 0.0400 us: " in text
    assert '<section id="tails">' in shown
    assert "--tail" in shown.partition('<section id="tails">')[2]  # the command that repeats it


def test_rows_without_p99_are_counted_with_what_gives_them_one() -> None:
    text = words(terminal(Analysis(*tail_run(36))))
    assert "too few calls" in text
    assert (
        "2 rows of 2 without p99, which takes 368 calls: run more --sessions, or fewer "
        "implementations together." in text
    )


def test_a_narrow_terminal_cuts_no_percentile() -> None:
    analysis = Analysis(*tail_run())
    for width in (40, 80, 160):
        assert max(map(len, terminal(analysis, width).splitlines())) <= width
        assert f"{analysis.tails[1].percentiles[-1].value:.2f} [" in terminal(analysis, width)  # type: ignore[union-attr] # it is known


def test_the_terminal_counts_the_rows_it_leaves_out() -> None:
    run, records = tail_run()
    analysis = Analysis(run, records)
    analysis.__dict__["tails"] = analysis.tails * MOST_ROWS
    kept = io.StringIO()
    Console(file=kept, width=80).print(*tail_table(analysis), sep="\n")
    assert f"{MOST_ROWS} more rows of tails: on the page." in kept.getvalue()


def test_exports_have_the_percentiles_unrounded(tmp_path: Path) -> None:
    run, records = tail_run(sessions=1)
    rows = list(map(tail_columns, Analysis(run, records).tails))
    for name in ("csv", "parquet", "json"):
        export(stored(run, records), run, name, tmp_path / f"run.{name}")
    assert json.loads((tmp_path / "run.json").read_text())["tails"] == rows
    table = pd.read_csv(tmp_path / "run-tails.csv")
    assert tuple(table.columns) == COLUMNS
    assert table.to_dict("records") == rows
    assert pd.read_parquet(tmp_path / "run-tails.parquet").to_dict("records") == rows
