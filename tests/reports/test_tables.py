"""Records to tables: what stands in a row, and what must never stand in one."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import median

import pandas as pd
import pytest

from reports.plain import as_data
from reports.tables import (
    MEASUREMENT_COLUMNS,
    measurements,
    not_measured,
    outcomes,
    rows_of,
)
from suites.records.record import Record
from tests.saved_run import PROBLEMS, entries, peak_bytes, small_run, times

ONE = PROBLEMS[1]


def only(frame: pd.DataFrame, problem: str, implementation: str) -> dict[str, object]:
    found = [
        row
        for row in rows_of(frame)
        if (row["problem"], row["implementation"]) == (problem, implementation)
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


def test_a_row_holds_the_problem_and_the_memory_of_the_check() -> None:
    run, records = small_run()
    row = only(measurements(run, records), ONE, "multi_head")
    assert (row["query_heads"], row["query_length"], row["mask"]) == (8, 256, "full")
    assert (row["dtype"], row["device"], row["pass"]) == ("float32", "cpu", "forward")
    assert row["peak_bytes"] == peak_bytes(ONE, "multi_head")
    assert row["resident_bytes"] == 2 * peak_bytes(ONE, "multi_head")
    assert row["layer"] is True


def test_a_wrong_answer_in_one_session_takes_all_its_times_away() -> None:
    run, records = small_run()
    turned = [
        Record(
            session=2, problem=ONE, implementation="naive", status="wrong", reason="another answer"
        )
        if (r.session, r.problem, r.implementation) == (2, ONE, "naive")
        else r
        for r in records
    ]
    timed = measurements(run, turned)
    assert ("naive" in set(timed[timed["problem"] == ONE]["implementation"])) is False
    row = only(outcomes(run, turned), ONE, "naive")
    assert (row["status"], row["reason"], row["timed"]) == ("wrong", "another answer", False)


def test_the_gravest_of_several_endings_is_shown() -> None:
    run, records = small_run(problems=[ONE], sessions=0)
    late = [
        Record(session=1, problem=ONE, implementation="naive", status="timed_out", reason="slow"),
        Record(session=2, problem=ONE, implementation="naive", status="crashed", reason="SIGSEGV"),
    ]
    assert only(outcomes(run, records + late), ONE, "naive")["status"] == "crashed"


def test_nothing_is_called_measured_that_was_not() -> None:
    run, records = small_run()
    names = set(measurements(run, records)["implementation"])
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
    assert len(measurements(run, records)) + lacking["count"].sum() == len(ended)
    assert all(lacking["reason"])


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


def test_what_a_run_did_not_reach_is_said() -> None:
    run, records = small_run()
    run = replace(run, ended=None)
    reached = [r for r in records if r.session == 0 and r.problem != PROBLEMS[-1]]
    lines = [row for row in rows_of(not_measured(run, reached)) if row["status"] == "not reached"]
    assert {row["reason"] for row in lines} == {"the run ended before it"}
    assert "naive" in {row["implementation"] for row in lines}
    assert only(outcomes(run, reached), PROBLEMS[-1], "naive")["status"] == "not reached"


def test_a_check_lists_no_missing_times() -> None:
    run, records = small_run(sessions=0)
    assert "naive" not in set(not_measured(run, records)["implementation"])
    assert measurements(run, records).empty


def test_an_empty_table_has_its_columns() -> None:
    run, records = small_run(sessions=0)
    assert tuple(measurements(run, records).columns) == MEASUREMENT_COLUMNS


@pytest.mark.parametrize("sessions", [0, 3])
def test_plain_data_survives_strict_json(sessions: int) -> None:
    run, records = small_run(sessions=sessions)
    data = json.loads(json.dumps(as_data(run, records), allow_nan=False))
    assert data["run"] == run.name
    assert len(data["outcomes"]) == len(PROBLEMS) * len(entries())
    assert data["machine"]["versions"]["xformers"] is None
    assert len(data["measurements"]) == (115 if sessions else 0)


def test_what_was_not_measured_is_null_and_zero_is_zero() -> None:
    run, records = small_run(problems=[ONE])
    bare = [
        replace(r, peak_bytes=0, resident_bytes=None, agreement=None) if r.session == 0 else r
        for r in records
    ]
    row = as_data(run, bare)["measurements"][0]
    assert (row["peak_bytes"], row["resident_bytes"], row["share_of_bound"]) == (0, None, None)


def test_an_infinite_share_is_a_word_in_plain_data() -> None:
    run, records = small_run(problems=[ONE], sessions=0)
    wrong = next(r for r in records if r.status == "wrong" and r.agreement)
    assert wrong.agreement is not None
    tensor = replace(wrong.agreement.tensors[0], rms_share=float("inf"))
    endless = replace(wrong, agreement=replace(wrong.agreement, tensors=(tensor,)))
    rows = as_data(run, [endless])["outcomes"]
    assert [row["share"] for row in rows if row["status"] == "wrong"] == ["inf"]
