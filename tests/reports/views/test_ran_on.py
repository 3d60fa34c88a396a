"""Implementations for a device say whether they ever ran on one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from impls.interface import Limits
from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.outputs.markdown.run import of_run
from reports.outputs.terminal import listings
from reports.outputs.terminal.run_tables import summary
from reports.views import ran_on
from suites.records.plan import Entry
from tests.saved_run import PROBLEMS, TWO, small_run

CUDA = (Limits(devices=("cuda",)),)
NEVER = Entry(name="only_cuda", limits=CUDA, ran_on="")
ONCE = Entry(name="only_cuda", limits=CUDA, ran_on="NVIDIA H200, 2026-01-02")
ABSENT = Entry(name="only_cuda", missing="fast is not installed", ran_on="")
USUAL = Entry(name="only_cuda", limits=CUDA)


def analysis_of(entry: Entry, *problems: str) -> Analysis:
    return Analysis(*small_run(problems=problems or PROBLEMS[:1], sessions=2, made=(*TWO, entry)))


def printed(*parts: object, width: int = 200) -> str:
    kept = io.StringIO()
    Console(file=kept, width=width).print(*parts, sep="\n")
    return kept.getvalue()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (NEVER, "never run"),
        (ABSENT, "never run"),
        (ONCE, "ran on NVIDIA H200, 2026-01-02"),
    ],
)
def test_it_stands_beside_the_name_of_what_was_not_measured(entry: Entry, said: str) -> None:
    analysis = analysis_of(entry)
    section = page(analysis).split('<section id="not-measured">')[1].split("</section>")[0]
    assert f"only_cuda<br><small>{said}</small></th>" in section
    assert said in printed(*summary(analysis, every=True))
    assert f"only_cuda ({said})" in of_run(analysis)


def test_what_the_tests_run_has_no_such_words() -> None:
    analysis = analysis_of(USUAL)
    assert ran_on.notes(analysis) == {}
    assert "never run" not in page(analysis)


def test_times_in_this_run_are_enough() -> None:
    assert ran_on.notes(analysis_of(NEVER)) == {"only_cuda": "never run"}
    assert ran_on.notes(analysis_of(NEVER, "t64 cpu", "t64 cuda")) == {}


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize(
    ("entry", "said"), [(NEVER, "never run"), (ABSENT, "never run"), (ONCE, "2026-01-02")]
)
def test_the_list_says_it(entry: Entry, said: str, width: int) -> None:
    assert said in printed(listings.implementations_table((*TWO, entry)), width=width)
    assert "run" not in printed(listings.implementations_table((*TWO, USUAL)), width=80)
    assert said in listings.capability_markdown((*TWO, entry))
