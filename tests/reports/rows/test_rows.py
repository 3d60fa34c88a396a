"""Records as rows: their figures, and records that never have a row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from statistics import median
from typing import Any

import pytest

from impls.interface import Limits, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import of_run
from reports.rows.columns import PROBLEM_COLUMNS
from reports.rows.measurements import MEASUREMENT_COLUMNS, measurement_columns, measurements
from reports.rows.outcomes import outcomes
from reports.rows.sessions import ceilings
from reports.views.tables import measurement_table
from suites.records.plan import Entry
from suites.records.record import Record
from suites.stats.ceilings import share
from tests.reports.row_data import not_measured, rows_of
from tests.saved_run import (
    PROBLEMS,
    TWO,
    entries,
    facts,
    over_budget,
    peak_bytes,
    small_run,
    times,
)

ONE = PROBLEMS[1]
ANY = Limits(
    biases=EVERY_BIAS, masks=EVERY_MASK, own_value_dim=True, own_scale=True, softcap=True, sink=True
)


def only(
    frame: Iterable[Any], problem: Problem, implementation: str, **wanted: object
) -> dict[str, object]:
    found = [
        row
        for row in rows_of(frame)
        if (row["problem"], row["implementation"]) == (problem, implementation)
        and wanted.items() <= row.items()
    ]
    assert len(found) == 1
    return found[0]


def test_a_row_holds_the_median_of_the_session_medians_and_their_spread() -> None:
    run, records = small_run()
    row = only(measurements(run, records), ONE, "chunked")
    medians = [median(times(ONE, "chunked", session)[:4]) for session in (1, 2, 3)]
    assert row["median_ms"] == median(medians)
    assert (row["low_ms"], row["high_ms"]) == (min(medians), max(medians))
    assert (row["sessions"], row["samples"], row["disturbed"]) == (3, 15, 3)
    assert row["first_call_ms"] == times(ONE, "chunked", 2)[0] * 4


def test_numbers_of_threads_have_rows_of_their_own() -> None:
    run, records = small_run(problems=[ONE], threads=(1, 2))
    frame = measurements(run, records)
    one, two = (only(frame, ONE, "chunked", threads=threads) for threads in (1, 2))
    for row, sessions in ((one, (1, 3, 5)), (two, (2, 4, 6))):
        assert row["sessions"] == 3
        assert row["median_ms"] == median(
            median(times(ONE, "chunked", each)[:4]) for each in sessions
        )
    assert (one["peak_bytes"], two["peak_bytes"]) == (None, peak_bytes(ONE, "chunked"))
    assert one["share_of_bound"] == two["share_of_bound"] is not None


def test_a_disturbed_round_moves_no_median() -> None:
    run, records = small_run(problems=[ONE])
    late = [replace(r, times_ms=(*r.times_ms[:4], 1e6)) if r.times_ms else r for r in records]
    assert [row.median_ms for row in measurements(run, late)] == [
        row.median_ms for row in measurements(run, records)
    ]
    untold = [replace(r, conditions=None) for r in records]
    assert only(measurements(run, untold), ONE, "chunked")["disturbed"] is None


def test_a_row_holds_how_close_it_came_to_its_sessions_own_ceilings() -> None:
    run, records = small_run(problems=[ONE])
    assert only(measurements(run, records), ONE, "chunked")["share_of_attainable"] is None
    run = replace(run, facts=facts(run.plan))
    found = ceilings(run)
    expected = median(
        share(ONE, median(times(ONE, "chunked", s)[:4]), found[s]) or 0 for s in (1, 2, 3)
    )
    assert only(measurements(run, records), ONE, "chunked")["share_of_attainable"] == expected
    still = [replace(r, times_ms=(0.0,) * 5) if r.times_ms else r for r in records]
    assert only(measurements(run, still), ONE, "chunked")["share_of_attainable"] is None


def test_a_row_has_the_figures_of_its_samples() -> None:
    run, records = small_run(problems=[ONE])
    gpu: dict[str, Any] = {
        "host_ms": 0.02,
        "sustained_ms": 0.4,
        "energy_mj": 512.0,
        "clock": "graph",
        "checked_again": True,
    }
    row = only(measurements(run, records), ONE, "chunked")
    assert (row["clock"], row["page_faults"], row["checked_again"]) == ("host", 1.0, False)
    told = [replace(r, **gpu) if r.session == 2 else r for r in records]
    row = only(measurements(run, told), ONE, "chunked")
    assert (row["clock"], row["host_ms"], row["sustained_ms"]) == ("graph, host", 0.02, 0.4)
    assert (row["checked_again"], row["energy_mj"]) == (True, 512.0)


def test_a_row_has_each_note_of_its_records_once_and_the_page_shows_it() -> None:
    run, records = small_run(problems=[ONE])
    assert only(measurements(run, records), ONE, "chunked")["notes"] == ""
    noted = [
        replace(r, notes=("gradients by backward()", *(["another"] if r.session else [])))
        if r.implementation == "chunked"
        else r
        for r in records
    ]
    row = only(measurements(run, noted), ONE, "chunked")
    assert row["notes"] == "gradients by backward(); another"
    cells = [
        cell.text
        for each in measurement_table(Analysis(run, noted)).rows
        for cell in each.cells
        if "backward" in cell.text
    ]
    assert cells == ["host; gradients by backward(); another"]


def test_a_run_that_lacks_a_number_of_threads_is_unfinished() -> None:
    run, records = small_run(problems=[ONE], threads=(1, 2))
    run = replace(run, ended=None)
    assert not Analysis(run, records).unfinished
    some = [r for r in records if r.session in {0, 1, 3, 5}]
    assert Analysis(run, some).unfinished


def test_a_row_holds_the_problem_and_the_memory_of_the_check() -> None:
    run, records = small_run()
    row = only(measurements(run, records), ONE, "multi_head")
    assert (row["query_heads"], row["query_length"], row["mask"]) == (8, 256, "full")
    assert (row["dtype"], row["device"], row["pass"]) == ("float32", "cpu", "forward")
    assert row["peak_bytes"] == peak_bytes(ONE, "multi_head")
    assert row["resident_bytes"] == 2 * peak_bytes(ONE, "multi_head")
    assert row["panel"] == "layers"


def test_a_wrong_answer_in_one_session_takes_all_its_times_away() -> None:
    run, records = small_run()
    turned = [
        Record(
            session=2,
            problem=ONE,
            implementation="naive",
            status="wrong",
            cause="wrong_output",
            reason="another answer",
        )
        if (r.session, r.problem, r.implementation) == (2, ONE, "naive")
        else r
        for r in records
    ]
    timed = measurements(run, turned)
    assert "naive" not in {row.implementation for row in timed if row.problem == ONE}
    row = only(outcomes(run, turned), ONE, "naive")
    assert (row["status"], row["reason"], row["timed"]) == ("wrong", "another answer", False)


def test_the_gravest_of_several_endings_is_shown() -> None:
    run, records = small_run(problems=[ONE], sessions=0)
    late = [
        Record(
            session=1,
            problem=ONE,
            implementation="naive",
            status="timed_out",
            cause="time_limit",
            reason="slow",
        ),
        Record(
            session=2,
            problem=ONE,
            implementation="naive",
            status="crashed",
            cause="process_died",
            reason="SIGSEGV",
        ),
    ]
    assert only(outcomes(run, records + late), ONE, "naive")["status"] == "crashed"


def test_nothing_is_called_measured_that_was_not() -> None:
    run, records = small_run()
    names = {row.implementation for row in measurements(run, records)}
    assert names == {
        "naive",
        "chunked",
        "local_window",
        "sdpa_flash",
        "sdpa_math",
        "multi_head",
        "torch_multi_head",
    }


def test_every_planned_answer_is_either_timed_or_listed_with_a_reason() -> None:
    run, records = small_run()
    ended = outcomes(run, records)
    assert len(ended) == len(PROBLEMS) * len(entries())
    lacking = not_measured(run, records)
    assert len(measurements(run, records)) + sum(row.count for row in lacking) == len(ended)
    assert all(row.reason for row in lacking)


def test_the_same_reason_for_many_problems_is_one_line_with_a_count() -> None:
    run, records = small_run()
    lines = {row["implementation"]: row for row in rows_of(not_measured(run, records))}
    assert len(lines) == 5
    assert lines["local_window"]["count"] == 9
    assert lines["local_window"]["reason"] == "mask full: takes window"
    assert lines["flash_attn"]["status"] == "missing"
    assert lines["sdpa_math"]["status"] == "out_of_memory"


def test_faults_come_before_limits() -> None:
    run, records = small_run()
    states = [row["status"] for row in rows_of(not_measured(run, records))]
    assert states == ["wrong", "out_of_memory", "refused", "refused", "missing"]


def test_answers_that_a_run_did_not_reach_have_a_reason() -> None:
    run, records = small_run()
    run = replace(run, ended=None)
    reached = [r for r in records if r.session == 0 and r.problem != PROBLEMS[-1]]
    lines = [row for row in rows_of(not_measured(run, reached)) if row["status"] == "not_reached"]
    assert {row["reason"] for row in lines} == {"the run ended before it"}
    assert "naive" in {row["implementation"] for row in lines}
    assert only(outcomes(run, reached), PROBLEMS[-1], "naive")["status"] == "not_reached"


def test_the_cause_budget_is_not_reached_and_the_cause_time_limit_is_timed_out() -> None:
    run, records = small_run(problems=[ONE], sessions=0)
    late = Record(
        session=1,
        problem=ONE,
        implementation="naive",
        status="timed_out",
        cause="time_limit",
        reason="slow",
    )
    ended = outcomes(run, [*records, late, over_budget(ONE, "chunked", session=1)])
    assert only(ended, ONE, "naive")["status"] == "timed_out"
    assert only(ended, ONE, "chunked")["status"] == "not_reached"
    assert str(only(ended, ONE, "chunked")["reason"]).endswith("(--budget)")


def test_a_run_that_its_budget_ended_is_not_called_unfinished() -> None:
    run, records = small_run(problems=[ONE], made=TWO)
    kept = [each for each in records if each.implementation == "base"]
    unmarked = replace(run, ended=None)
    assert not Analysis(unmarked, [*kept, over_budget(ONE, "other")]).unfinished
    assert Analysis(unmarked, kept).unfinished


def test_a_check_lists_no_missing_times() -> None:
    run, records = small_run(sessions=0)
    assert "naive" not in {row.implementation for row in not_measured(run, records)}
    assert measurements(run, records) == []


def test_a_row_has_every_field_of_its_problem_as_a_column() -> None:
    odd = "b2 h4/2 t16/32 d64 dv32 causal alibi scale0.3 softcap20.0 sink bf16 train bthd cpu"
    run, records = small_run(problems=[odd], made=(Entry(name="any", limits=(ANY,)),))
    (row,) = measurements(run, records)
    found = measurement_columns(row)
    assert tuple(found) == MEASUREMENT_COLUMNS
    assert {name: found[name] for name in PROBLEM_COLUMNS} == {
        "batch": 2,
        "query_heads": 4,
        "key_heads": 2,
        "query_length": 16,
        "key_length": 32,
        "head_dim": 64,
        "mask": "causal",
        "bias": "alibi",
        "scale": 0.3,
        "dtype": "bfloat16",
        "device": "cpu",
        "pass": "training",
        "layout": "bthd",
        "value_dim": 32,
        "softcap": 20.0,
        "sink": True,
        "ranks": 1,
        "model": "",
    }


@pytest.mark.parametrize("sessions", [0, 3])
def test_plain_data_survives_strict_json(sessions: int) -> None:
    run, records = small_run(sessions=sessions)
    data = json.loads(json.dumps(of_run(Analysis(run, records)), allow_nan=False))
    assert data["run"] == run.name
    assert len(data["outcomes"]) == len(PROBLEMS) * len(entries())
    assert data["machine"]["versions"]["xformers"] is None
    assert len(data["measurements"]) == (115 if sessions else 0)
    assert len(data["verdicts"]) == (79 if sessions else 0)
    assert (data["settings"]["threads"], data["settings"]["cache"]) == ([2], "hot")
    assert data["ceilings"] == []
    assert (data["share_inside_calls"] is None) is (sessions == 0)


def test_what_was_not_measured_is_null_and_zero_is_zero() -> None:
    run, records = small_run(problems=[ONE])
    bare = [
        replace(r, peak_bytes=0, resident_bytes=None, agreement=None) if r.session == 0 else r
        for r in records
    ]
    row = of_run(Analysis(run, bare))["measurements"][0]
    assert (row["peak_bytes"], row["resident_bytes"], row["share_of_bound"]) == (0, None, None)


def test_an_infinite_share_is_a_word_in_plain_data() -> None:
    run, records = small_run(problems=[ONE], sessions=0)
    wrong = next(r for r in records if r.status == "wrong" and r.agreement)
    assert wrong.agreement is not None
    tensor = replace(wrong.agreement.tensors[0], rms_share=float("inf"))
    endless = replace(wrong, agreement=replace(wrong.agreement, tensors=(tensor,)))
    rows = of_run(Analysis(run, [endless]))["outcomes"]
    assert [row["share"] for row in rows if row["status"] == "wrong"] == ["inf"]
