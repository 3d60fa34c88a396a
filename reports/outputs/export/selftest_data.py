"""The findings of a self-test as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from suites.calibrate.selftest import Findings


def of_selftest(found: Findings) -> dict[str, Any]:
    """The findings of a self-test, with its sentence and faults."""
    return {**asdict(found), "sentence": found.sentence, "faults": found.faults}
