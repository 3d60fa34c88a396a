"""What `compare` prints, and its exit status."""

from __future__ import annotations

import json

import pytest

from reports.analysis.comparison import Comparison
from reports.analysis.gate import gate
from reports.analysis.run_comparison import runs
from reports.outputs.comparing import report
from tests.reports.analysis.test_comparison import compared, without
from tests.saved_run import two


def nothing_judged() -> Comparison:
    run, records = two(2.0)
    return runs(run, records, without(run, "other"), records)


@pytest.mark.parametrize(
    ("found", "status", "state"),
    [
        (compared(2.0, 2.0), 0, "passed"),
        (compared(2.0, 2.1), 1, "failed"),
        (nothing_judged(), 1, "unsure"),
    ],
)
def test_only_a_gate_that_passed_is_status_0(
    found: Comparison, status: int, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(found, gate(found, 0.03), as_json=False) == status
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].startswith(f"GATE 3 %: {state}; ")
    assert printed.err == ""
    assert report(found, gate(found, 0.03), as_json=True) == status
    assert json.loads(capsys.readouterr().out)["gate"]["state"] == state


def test_without_a_limit_there_is_no_gate(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(compared(2.0, 2.1), None, as_json=False) == 0
    assert "GATE" not in capsys.readouterr().out
