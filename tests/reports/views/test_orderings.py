"""Known orderings of peers on the page and in the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.outputs.terminal.run_tables import summary
from reports.views.orderings import HEADING, UNKNOWN
from reports.views.parts import orderings
from tests.reports.analysis.test_orderings import FULL, WINDOW, run_with

FACTORS = {"flex": 0.2, "onnxruntime": 1.3}


def analysis_of(suite: str, **factors: float) -> Analysis:
    run, records = run_with(factors or FACTORS, FULL, WINDOW)
    return Analysis(replace(run, plan=replace(run.plan, suite=suite)), records)


def printed(analysis: Analysis, *, width: int = 120, every: bool = False) -> str:
    kept = io.StringIO()
    Console(file=kept, width=width).print(*summary(analysis, every=every), sep="\n")
    return kept.getvalue()


def test_the_page_of_the_suite_peers_shows_each_ordering_with_its_ratio() -> None:
    made = orderings.section(analysis_of("peers"))
    assert made is not None
    assert made.on_demand == ""
    assert made.sentences == ("1 of 3 known orderings reproduced, 2 not reproduced.",)
    rows = {tuple(cell.text for cell in row.cells[:5]): row for row in made.tables[0].rows}
    words = {(pair, reproduced) for pair, _, _, _, reproduced in rows}
    assert ("flex / sdpa_flash", "yes") in words
    assert ("onnxruntime / sdpa_flash", "no") in words
    ratios = {row.cells[1].text: row.cells[3].text for row in rows.values()}
    assert ratios[f"b1 {WINDOW.replace(' window', ' d64 window')} fp32 cpu"].startswith("0.200 [")
    commands = [row.command for row in rows.values()]
    assert all(" --against " in command for command in commands)
    assert UNKNOWN in page(analysis_of("peers"))


def test_other_suites_fold_the_table_and_runs_without_a_pair_have_none() -> None:
    folded = orderings.section(analysis_of("quick"))
    assert folded is not None
    assert folded.on_demand
    assert orderings.section(analysis_of("quick", naive=2.0)) is None
    assert HEADING not in page(analysis_of("quick", naive=2.0))


def test_the_terminal_shows_them_in_the_suite_peers_and_on_demand() -> None:
    text = printed(analysis_of("peers"))
    assert HEADING in text
    assert "1 of 3 known orderings reproduced, 2 not reproduced." in text
    assert f"onnxruntime / sdpa_flash: {UNKNOWN}" in text
    assert HEADING not in printed(analysis_of("quick"))
    assert HEADING in printed(analysis_of("quick"), every=True)
    assert HEADING not in printed(analysis_of("peers", naive=2.0))


def test_the_table_fits_a_narrow_terminal() -> None:
    text = printed(analysis_of("peers"), width=50)
    assert max(map(len, text.splitlines())) <= 50
    assert "reproduced: yes" in text
