"""Tables that do not fit become blocks, with every number whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.outputs.terminal.blocks import Fitting, needed
from reports.outputs.terminal.grid_tables import Name, table


def made() -> Table:
    found = table("A title")
    found.add_column("", overflow="fold", min_width=5)
    found.add_column("ratio [95 %]", justify="right", no_wrap=True)
    found.add_column("verdict", justify="right", no_wrap=True)
    found.add_row(Name("multi_head"), Text("0.999 [0.901, 1.101]"), Text("same\n(this process)"))
    found.add_row(Name("b"), Text("2.000 [1.901, 2.101]"), Text(""))
    return found


def shown(width: int) -> list[str]:
    kept = io.StringIO()
    Console(file=kept, width=width).print(Fitting(made()))
    return [line.rstrip() for line in kept.getvalue().splitlines() if line.strip()]


def test_a_narrow_terminal_gets_a_block_for_each_row() -> None:
    assert shown(40) == [
        "A title",
        "multi_head",
        "  ratio [95 %]: 0.999 [0.901, 1.101]",
        "  verdict: same (this process)",
        "b",
        "  ratio [95 %]: 2.000 [1.901, 2.101]",
    ]


@pytest.mark.parametrize("width", range(25, 80))
def test_whatever_the_width_no_number_is_cut(width: int) -> None:
    text = " ".join(shown(width))
    assert {"[0.901,", "1.101]", "2.000", "2.101]", "0.999"} <= set(text.split())
    assert "…" not in text


def test_a_table_that_fits_stays_a_table() -> None:
    least = needed(made())
    assert any("───" in line for line in shown(least))
    assert not any("───" in line for line in shown(least - 1))
    assert max(map(len, shown(least))) <= least
