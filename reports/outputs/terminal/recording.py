"""The summary of a recorded script, in three lines at most."""

from __future__ import annotations

import shlex
from pathlib import Path

from reports.views.recording import missing, recorded
from suites.recording.command import Ended


def summary(ended: Ended, out: Path) -> list[str]:
    """How many calls of how many problems, what is missing, and how to measure them."""
    if ended.found is None:
        return [f"attnbench: {ended.why}; {out} was not written"]
    kept = f" Tensors: {ended.kept[0]} to {ended.kept[-1].name}." if ended.kept else ""
    measure = f"Measure them with: python run_bench.py run --workload {shlex.quote(str(out))}{kept}"
    return [recorded(ended.found), *missing(ended.found), measure]
