"""Implementations with a slow start that a run leaves out are named, with what adds them."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from impls.interface import Limits
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import of_run
from reports.outputs.html.page import page
from reports.outputs.terminal.check_report import check_report
from reports.outputs.terminal.run_tables import summary
from suites.records.plan import Entry
from tests.saved_run import PROBLEMS, TWO, small_run

BOTH = "Left out, because their set-up takes longer than a second: flex, compiled; "
IN_A_RUN = f"{BOTH}add them with --with-peers, or run the suite peers."
IN_A_CHECK = f"{BOTH}add them with --with-peers."


def analysis_of(*left_out: str, sessions: int = 3) -> Analysis:
    run, records = small_run(problems=PROBLEMS[:2], sessions=sessions, made=TWO)
    return Analysis(replace(run, plan=replace(run.plan, left_out=left_out)), records)


def printed(*parts: object) -> str:
    kept = io.StringIO()
    Console(file=kept, width=200).print(*parts, sep="\n")
    return kept.getvalue()


@pytest.mark.parametrize("every", [False, True])
def test_the_terminal_names_what_a_run_leaves_out(*, every: bool) -> None:
    assert IN_A_RUN in printed(*summary(analysis_of("flex", "compiled"), every=every))
    assert "Left out" not in printed(*summary(analysis_of(), every=every))


def test_page_and_terminal_name_the_cases_that_the_suite_lacks() -> None:
    made = analysis_of()
    of_window = Analysis(replace(made.run, plan=replace(made.plan, suite="window")), made.records)
    words = "The suite window leaves out windows that look ahead (window:LEFT:RIGHT): few"
    assert words in " ".join(printed(*summary(of_window, every=False)).split())
    section = page(of_window).split('<section id="not-measured">')[1].split("</section>")[0]
    assert words in re.sub("<[^>]+>", "", section)
    assert "The suite" not in printed(*summary(made, every=False))


def test_a_check_names_what_it_leaves_out() -> None:
    assert IN_A_CHECK in printed(*check_report(analysis_of("flex", "compiled", sessions=0)))
    assert "Left out" not in printed(*check_report(analysis_of(sessions=0)))


def test_the_page_names_them_where_it_lists_what_was_not_measured() -> None:
    text = page(analysis_of("flex", "compiled"))
    section = text.split('<section id="not-measured">')[1].split("</section>")[0]
    assert IN_A_RUN in re.sub("<[^>]+>", "", section)
    assert '<span class="whole">--with-peers</span>' in section
    assert "Left out, because" not in page(analysis_of())


def test_a_hostile_name_is_text_on_the_page() -> None:
    assert "&lt;script&gt;taken" in page(analysis_of("<script>taken"))


def test_json_has_them() -> None:
    assert of_run(analysis_of("flex"))["left_out"] == ["flex"]


def test_the_line_of_a_missing_one_has_the_command_that_installs_it() -> None:
    pip = 'python -m pip install -c constraints.txt -e ".[peers]"'
    reason = f"onnxruntime is not installed; install it with: {pip}"
    absent = (
        Entry(name="onnxruntime", missing=reason),
        Entry(name="openvino", missing="other"),
        Entry(name="narrow", limits=(Limits(masks=("window",)),)),
    )
    run, records = small_run(problems=PROBLEMS[:1], made=(*TWO, *absent))
    text = printed(*summary(Analysis(run, records)))
    assert f"Missing: 2 of 5 answers, of onnxruntime and openvino: {reason} (see --all)." in text
    assert "Refused: 1 of 5 answers, of narrow (see --all)." in text
