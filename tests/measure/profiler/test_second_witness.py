"""memray, which counts every allocation of the process, agrees with the memory of a profile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OVERHEAD = 16 * 1024
"""Bytes that memray counts besides: Python objects and torch's structures of tensors."""


@pytest.mark.skipif(sys.platform != "linux", reason="memray is installed on Linux only")
def test_memray_agrees_on_the_peak_of_naive_and_on_the_lines_that_hold_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.measure.profiler.memray_by_line", str(tmp_path / "naive"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["profile"] == found["peak"]
    assert found["profile"] <= found["memray"] <= found["profile"] + OVERHEAD
    assert found["ours"].keys() == found["theirs"].keys()
    for line, size in found["ours"].items():
        assert size <= found["theirs"][line] <= size + OVERHEAD
    assert sum(found["ours"].values()) == found["profile"]
