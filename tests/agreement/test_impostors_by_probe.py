"""Wrong implementations: the probe that is meant for it rejects each of them, on each problem."""

from __future__ import annotations

import re

import pytest

from impls.interface import Implementation
from suites.measure import timing
from tests.agreement import rejecting
from tests.agreement.impostors import Rejection

CELLS = rejecting.cells()


@pytest.mark.parametrize(("implementation", "cell"), CELLS, ids=str)
def test_the_probe_rejects_an_impostor_with_the_reason(
    implementation: Implementation, cell: Rejection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "QUICK_MS", float("inf"))  # however busy the machine is
    checker = rejecting.probe_alone(cell)
    assert re.search(cell.because, rejecting.verdict(checker, implementation))
