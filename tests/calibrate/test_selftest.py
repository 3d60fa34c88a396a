"""The selftest: its conclusions from made-up calibrations, and the faults of instruments."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import pytest

from suites.calibrate.protocol import PROBLEMS, Calibration
from suites.calibrate.selftest import OTHER, Findings, Instruments, concluded

RIGHT = Instruments(
    known_bytes=3 << 20,
    read_bytes=3 << 20,
    resolution_ms=1e-6,
    sample_overhead_ms=1e-4,
    call_overhead_ms=1e-5,
)
OFFSETS = (-0.002, 0.001, 0.0, 0.002, -0.001)


def calibration(session: int, offset: float, problem: str) -> Calibration:
    arms = {"base": 1.0, "twin": exp(offset), "slowed": 1.03 * exp(offset), OTHER: 2 * exp(offset)}
    return Calibration(
        session=session,
        problem=problem,
        times_ms={arm: (ms, ms) for arm, ms in arms.items()},
        quiet=(0,),
        truth=1.03,
        wall_s=1.0,
    )


@pytest.fixture
def findings() -> Findings:
    made = [calibration(n, each, p) for n, each in enumerate(OFFSETS) for p in PROBLEMS[:2]]
    return concluded(made, RIGHT, sessions=5, wall_s=20.0)


def test_identical_pairs_show_no_difference_and_slowed_pairs_do(findings: Findings) -> None:
    assert (findings.pairs, findings.false_alarms, findings.found) == (2, 0, 2)
    assert findings.slowed == pytest.approx(0.03)
    assert 0 < findings.floor < findings.visible < findings.slowed
    assert findings.disturbed == 0.5


def test_every_ratio_has_its_cost_with_process_starts(findings: Findings) -> None:
    for each in findings.ratios:
        assert each.interval is not None
        assert each.interval.estimate == pytest.approx(2, rel=1e-3)
        assert each.sessions is not None
        assert each.needed_s == each.sessions * (2.0 + 1.0)  # 10 s of 20 are process starts


def test_wrong_instruments_are_faults(findings: Findings) -> None:
    assert findings.faults == []
    wrong = replace(RIGHT, read_bytes=7, resolution_ms=0.5)
    assert replace(findings, instruments=wrong).faults == [
        "the memory instrument reads 7 bytes, expected 3145728",
        "the clock has steps of 0.5 ms, expected at most 0.01 ms",
    ]
