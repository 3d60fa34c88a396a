"""docs/scaling.md has the tables and rates of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from suites.stats.scaling.cluster import CORE_FLOPS, H200, LOOPBACK
from suites.stats.scaling.tables import TABLES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "scaling.md").read_text()


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_table_of_the_code(name: str) -> None:
    table = TABLES[name]()
    assert table.count("\n") > 3
    assert f"\n\n{table}" in PAGE


@pytest.mark.parametrize(
    "stated",
    [
        f"{H200.flops / 1e12:.0f} TFLOP/s",
        f"{H200.link / 1e9:.0f} GB/s",
        f"{H200.network / 1e9:.0f} GB/s",
        f"{H200.memory_bytes / 1e9:.0f} GB",
        f"{H200.node} devices",
        f"{CORE_FLOPS / 1e9:.0f} GFLOP/s",
        f"{LOOPBACK / 1e9:.2f} GB/s",
    ],
)
def test_the_page_states_the_rates(stated: str) -> None:
    assert stated in PAGE


def test_the_module_prints_the_tables() -> None:
    command = [sys.executable, "-m", "suites.stats.scaling"]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(f"{name}\n\n{table()}" in child.stdout for name, table in TABLES.items())
