"""Ratios of implementations that were measured in different processes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.ranking.ratios import ratios_of
from reports.analysis.run_analysis import Analysis
from suites.records.record import Record
from suites.records.store import Run
from suites.stats.intervals import noise_floor
from suites.stats.pairing import log_ratios_between, twin_log_ratios
from tests.saved_run import TWO, small_run

PROBLEM = "h8 t128 full fp32 cpu"


def split(sessions: int = 5, **of_other: str) -> tuple[Run, list[Record]]:
    """A run with `base` in the first process and `other` in one of its own."""
    run, records = small_run(problems=(PROBLEM,), sessions=sessions, made=TWO, baseline="base")
    return run, [_placed(each, of_other) for each in records]


def _placed(record: Record, of_other: dict[str, str]) -> Record:
    if not record.times_ms:
        return record
    if record.implementation == "base":
        part = 1.02 if record.session % 2 else 0.99
        return replace(record, again_ms=tuple(part * each for each in record.times_ms))
    part = 1.2 + 0.001 * record.session
    times_ms = tuple(part * each for each in record.times_ms)
    return replace(record, times_ms=times_ms, process="other", **of_other)  # type: ignore[arg-type] # text only


def test_the_floor_between_processes_comes_from_the_baseline_in_another_process() -> None:
    run, records = split()
    (row,) = Analysis(run, records).verdicts
    between = log_ratios_between(records)
    assert len(between) == 5
    assert row.floor == noise_floor(between, 5)
    assert row.floor != noise_floor(twin_log_ratios(records), 5)
    assert (row.verdict, row.reasons) == ("slower", ())


def test_rows_of_one_process_keep_the_floor_of_its_twin() -> None:
    run, records = split()
    shared = [replace(each, process="") for each in records]
    (row,) = Analysis(run, shared).verdicts
    assert row.floor == noise_floor(twin_log_ratios(records), 5)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (split(unbound="its threads are not bound to CPUs"), "unpaired: measured in different"),
        (split(sessions=4), "takes 5 sessions; 4 timed both"),
        (
            (split()[0], [replace(each, again_ms=()) for each in split()[1]]),
            "the baseline was timed in one only",
        ),
    ],
    ids=["unbound", "few sessions", "no twin"],
)
def test_a_ratio_between_processes_is_not_judged_without_its_conditions(
    run: tuple[Run, list[Record]], words: str
) -> None:
    analysis = Analysis(*run)
    (row,) = analysis.verdicts
    assert (row.verdict, row.ratio) == ("not judged", None)
    assert words in row.reasons[0]
    (ratios,) = ratios_of(analysis).values()
    assert ratios.verdict("base", "other").word == "not judged"
