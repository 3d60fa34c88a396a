"""Functions that compile, and other libraries, in real sessions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engine.real_sessions import Records, assert_measured, records_of


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("compiled.py")


def test_a_compiled_function_is_measured_and_never_runs_without_the_compiler(
    records: Records,
) -> None:
    name = "compiled.compiled"  # the file's name precedes one that impls/ uses
    assert_measured(records[name])  # its eager result is wrong
    check, timed = records[name]
    assert check.agreement is not None
    assert check.agreement.hard_inputs > 8  # torch's own limit on compilations of a function
    assert timed.compilations == 1
    assert timed.compile_ms is not None
    assert timed.first_call_ms is not None
    assert 0 < timed.compile_ms <= timed.first_call_ms
    assert timed.prepare_ms is None


def test_compiled_code_that_is_kept_serves_the_lengths_that_follow() -> None:
    """torch compiles the second length for all sizes, so that the third compiles nothing."""
    problems = tuple(f"b1 h4 t{length} d16 full fp32 cpu" for length in (64, 65, 66))
    made = records_of("compiled.py", problems=problems, keep_compiled=True)["compiled.compiled"]
    timed = [record for record in made if record.session == 1]
    assert [record.status for record in timed] == ["ok"] * 3
    assert sorted(record.compilations or 0 for record in timed) == [0, 1, 1]
    assert all(record.set_up_bytes is not None for record in timed)


def test_a_function_that_compiles_when_it_prepares_is_measured(records: Records) -> None:
    assert_measured(records["compiled_when_prepared"])
    timed = records["compiled_when_prepared"][1]
    assert timed.compilations == 1
    assert timed.prepare_ms is not None


def test_preparing_that_does_not_end_is_timed_out_by_its_own_limit() -> None:
    (record,) = records_of("preparing.py", time_limit_s=60.0, prepare_limit_s=0.5)[
        "prepares_for_ever"
    ]
    assert (record.status, record.cause) == ("timed_out", "prepare_limit")
    assert record.reason == "preparing took more than 0.5 s (--prepare-limit)"


def test_onnxruntime_is_measured_on_all_cpus_and_its_memory_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    cpus = tmp_path / "cpus"
    monkeypatch.setenv("ATTNBENCH_TEST_CPUS", str(cpus))
    made = records_of("with_onnxruntime.py", threads=2)["with_onnxruntime"]
    assert [record.status for record in made] == ["ok", "ok"], made
    check, timed = made
    assert check.unseen == "memory of onnxruntime is not seen by torch's allocator"
    assert (check.peak_bytes, check.kept_bytes) == (None, None)
    assert check.resident_bytes is not None
    assert timed.prepare_ms is not None
    if len(os.sched_getaffinity(0)) > 1:
        assert all(int(count) > 1 for count in cpus.read_text().split())
