"""Each rank of a group of processes: its row on the page, in the terminal and in exports."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from impls.interface import Limits, Problem
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.export import export
from reports.outputs.export.json_data import of_run
from reports.outputs.html.page import page
from reports.outputs.terminal.run_tables import summary
from reports.rows.ranks import COLUMNS, RankRow, ranks
from reports.views import terms
from reports.views.parts import ranks as part
from reports.views.ranks import HEADING, HEADS, MEANINGS, values
from suites.records.on_rank import OnRank
from suites.records.plan import Entry
from suites.records.record import CHECK, Record
from suites.records.store import Run
from tests.saved_run import small_run, stored

ALONE, TOGETHER = map(Problem.parse, ("h8 t1024 fp32 cpu", "h8 t1024 fp32 cpu ranks2"))
ABLE = tuple(Entry(name=name, limits=(Limits(ranks=True),)) for name in ("base", "other"))
CALL_MS = ((4.0, 5.0), (4.2, 5.2), (4.1, 5.4))
"""Milliseconds of both ranks in each of three sessions."""


def run_with_ranks(*, threads: tuple[int, ...] = (2,)) -> tuple[Run, list[Record]]:
    """Two problems, one of them computed by two ranks: bytes in the check, times in sessions."""
    run, records = small_run(problems=(ALONE, TOGETHER), made=ABLE, threads=threads)
    return run, list(map(_with_parts, records))


def _with_parts(record: Record) -> Record:
    if record.problem.ranks == 1:
        return record
    if record.session == CHECK:
        parts = [OnRank(rank=n, sent_bytes=2**20 * (n + 1), peak_bytes=2**21) for n in (0, 1)]
    else:
        own = CALL_MS[(record.session - 1) % 3]
        parts = [
            OnRank(rank=n, call_ms=ms, communication_ms=2.0, arithmetic_ms=None if n else 3.0)
            for n, ms in enumerate(own)
        ]
    return replace(record, on_ranks=tuple(parts))


def test_a_row_has_the_bytes_of_the_check_and_the_medians_of_the_sessions() -> None:
    first, second, *others = ranks(*run_with_ranks())
    assert first.overlap == pytest.approx((5.0 - 4.1) / 2.0)
    assert replace(first, overlap=None) == RankRow(
        problem=TOGETHER,
        implementation="base",
        rank=0,
        sessions=3,
        call_ms=4.1,
        sent_bytes=2**20,
        peak_bytes=2**21,
        communication_ms=2.0,
        arithmetic_ms=3.0,
        overlap=None,
    )
    assert (second.rank, second.call_ms, second.sent_bytes) == (1, 5.2, 2**21)
    assert (second.arithmetic_ms, second.overlap) == (None, None)
    assert [(each.implementation, each.rank) for each in others] == [("other", 0), ("other", 1)]


def test_times_are_those_with_the_most_threads() -> None:
    run, records = run_with_ranks(threads=(1, 2))
    sessions = [each for each in run.plan.session_numbers if run.plan.threads_of(each) == 2]
    assert {row.sessions for row in ranks(run, records)} == {len(sessions)}


def test_an_overlap_that_the_sessions_do_not_tell_is_not_resolved() -> None:
    run, records = run_with_ranks()
    wide = [
        replace(
            each,
            on_ranks=tuple(replace(p, communication_ms=0.1 * each.session) for p in each.on_ranks),
        )
        if each.session != CHECK
        else each
        for each in records
    ]
    (row, *_) = ranks(run, wide)
    assert (row.arithmetic_ms, row.overlap) == (3.0, None)
    assert values(row)[-1] == ("not resolved", None)


def test_one_session_resolves_no_overlap() -> None:
    run, records = run_with_ranks()
    (row, *_) = ranks(run, [each for each in records if each.session < 2])
    assert (row.sessions, row.arithmetic_ms, row.overlap) == (1, 3.0, None)


def test_a_check_alone_has_the_bytes() -> None:
    run, records = run_with_ranks()
    checks = [each for each in records if each.session == CHECK]
    (row, *_) = ranks(run, checks)
    assert (row.sessions, row.call_ms, row.sent_bytes, row.overlap) == (0, None, 2**20, None)


def test_an_implementation_with_a_record_that_is_not_ok_has_no_row() -> None:
    run, records = run_with_ranks()
    failing = (2, TOGETHER, "base")
    ended = [each for each in records if each.key != failing]
    ended.append(
        Record(
            session=2,
            problem=TOGETHER,
            implementation="base",
            status="crashed",
            cause="process_died",
            reason="rank 1 ended",
        )
    )
    assert {row.implementation for row in ranks(run, ended)} == {"other"}


def test_the_page_has_a_table_of_ranks_and_defines_its_heads() -> None:
    analysis = Analysis(*run_with_ranks())
    section = part.section(analysis)
    assert section is not None
    (table,) = section.tables
    assert table.head[2:] == HEADS
    assert [cell.text for cell in table.rows[0].cells] == [
        str(TOGETHER), "base", "0", "4.10", "1.00", "2.00", "2.00", "3.00", "45 %",
    ]  # fmt: skip
    assert [cell.text for cell in table.rows[1].cells][-2:] == ["not measured"] * 2
    html = page(analysis)
    assert '<section id="ranks">' in html
    for head in HEADS:
        found = terms.of_head(head)
        assert found is not None
        assert found.definition == MEANINGS[head]
        assert f'id="{found.anchor}"' in html


def test_a_run_without_a_group_has_neither_table_nor_terms() -> None:
    analysis = Analysis(*small_run(problems=(ALONE,), made=ABLE))
    assert part.section(analysis) is None
    assert not {term.word for term in terms.of_plan(analysis.plan)} & set(MEANINGS)
    assert of_run(analysis)["ranks"] == []
    assert HEADING not in terminal(analysis)


def test_programs_read_each_rank() -> None:
    data = json.loads(json.dumps(of_run(Analysis(*run_with_ranks())), allow_nan=False))
    assert [(each["rank"], each["implementation"]) for each in data["ranks"]] == list(
        chain.from_iterable(((0, name), (1, name)) for name in ("base", "other"))
    )
    assert set(data["ranks"][0]) == set(RankRow.__dataclass_fields__)


def terminal(analysis: Analysis) -> str:
    """What the end of a run prints."""
    kept = io.StringIO()
    Console(file=kept, width=100).print(*summary(analysis), sep="\n")
    return kept.getvalue()


def test_the_terminal_has_a_row_for_each_rank() -> None:
    printed = terminal(Analysis(*run_with_ranks()))
    lines = printed[printed.index(f"{HEADING} of {TOGETHER}") :].splitlines()
    rows = [line.split() for line in lines if line.split()[:1] in (["base"], ["other"])]
    assert rows[:2] == [
        ["base", "0", "4.10", "1.00", "2.00", "2.00", "3.00", "45", "%"],
        ["base", "1", "5.20", "2.00", "2.00", "2.00", "-", "-"],
    ]
    assert [row[:2] for row in rows[2:4]] == [["other", "0"], ["other", "1"]]


def test_the_csv_has_a_file_of_ranks_with_a_group_alone(tmp_path: Path) -> None:
    run, records = run_with_ranks()
    export(stored(run, records), run, "csv", tmp_path / "run.csv")
    table = pd.read_csv(tmp_path / "run-ranks.csv")
    assert tuple(table.columns) == COLUMNS
    assert list(table["sent_bytes"]) == [2**20, 2**21] * 2
    alone, records = small_run(problems=(ALONE,), made=ABLE)
    written = export(stored(alone, records), alone, "csv", tmp_path / "alone.csv")
    assert "alone-ranks.csv" not in {each.name for each in written}
