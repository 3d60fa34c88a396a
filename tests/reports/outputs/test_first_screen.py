"""The first screen in HTML and in a browser: order, one figure, the answer without scrolling."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.first_screen import unbroken
from reports.outputs.html.page import page
from reports.outputs.html.saving import NAME
from reports.outputs.html.templates import MOST_ANSWERS, MOST_FAULTS
from suites.records.plan import Entry
from tests.reports.browser import opened, until
from tests.reports.small_page import small_page
from tests.saved_run import TWO, entries, small_run, two


def header(text: str) -> str:
    return text[text.index("<header>") : text.index("</header>")]


def test_faults_and_notice_stand_before_the_answer_and_one_line_on_the_run_after_it() -> None:
    run, records = small_run()
    text = header(page(Analysis(replace(run, ended=None), records[:400])))
    order = ("<h1>", 'class="fault"', 'class="notice"', 'id="answer"', "preamble", "<nav")
    places = [text.index(each) for each in order]
    assert places == sorted(places)


def test_the_map_of_the_fastest_is_drawn_once_and_at_the_top() -> None:
    text = small_page()
    mark = 'data-family="fastest_by_length_and_heads"'
    assert text.count(mark) == 1
    assert mark in header(text)
    layers = 'data-family="layers_fastest_by_length_and_heads"'
    assert text.count(layers) == 1
    assert layers not in header(text)


def test_the_title_of_the_page_is_its_heading() -> None:
    text = page(Analysis(*two(1.3)))
    title = re.findall(r"<title>(.*?)</title>", text)[0]
    (heading,) = re.findall(r"<h1>(.*?)</h1>", text)
    assert title == heading == "base and other, b1 h8 t256 d64 full fp32 cpu"


def test_the_counts_of_a_run_are_further_down() -> None:
    text = small_page()
    counts = "10 implementations on 18 problems: 115 of 180 answers timed"
    assert counts not in header(text)
    assert counts in text[text.index('id="measured"') :]


def test_a_fault_has_its_cause_and_its_cure() -> None:
    run, records = small_run()
    cured = [replace(each, cure="read key 16") if each.cause else each for each in records]
    text = unescape(header(page(Analysis(run, cured))))
    assert re.search(
        r"off_by_one is wrong on .*Cause:</b> out: 41 .*Cure:</b> read key 16", text, re.DOTALL
    )


def test_many_faults_and_answers_are_counted() -> None:
    wrong = next(each for each in entries() if each.name == "off_by_one")
    made = tuple(replace(wrong, name=f"off_by_{place}") for place in range(MOST_FAULTS + 2))
    run, records = small_run(made=(*TWO, wrong))
    bad = [
        replace(each, implementation=entry.name)
        for entry in made
        for each in records
        if each.implementation == "off_by_one"
    ]
    run = replace(run, plan=replace(run.plan, entries=(*TWO, *made)))
    text = header(page(Analysis(run, [*records, *bad])))
    assert text.count('class="fault"') == MOST_FAULTS + 1
    assert '<a href="#not-measured">2 more faults</a>' in text

    asked = [f"b1 h1 t128 d64 window:{reach} fp32 cpu" for reach in range(1, 13)]
    pair = tuple(Entry(name=name, limits=TWO[0].limits) for name in ("naive", "sdpa_flash"))
    text = header(page(Analysis(*small_run(problems=asked, made=pair))))
    assert text.count('class="kind"') == len(asked)
    assert f"<summary>{len(asked) - MOST_ANSWERS} more</summary>" in text


def test_no_line_breaks_within_a_figure_and_a_name_stays_text() -> None:
    said = unbroken("<b>x</b> from T = 2,048 [468, 641] on: 1.71x as long, 4 heads, 95 % & more")
    whole = re.findall(r'<span class="whole">(.*?)</span>', said)
    assert whole == ["T = 2,048", "[468, 641]", "1.71x as long", "4 heads", "95 %"]
    assert said.startswith("&lt;b&gt;x&lt;/b&gt; from ")
    assert said.endswith("&amp; more")


PAPER = {"light": "#ffffff", "dark": "#14171c"}
"""The background of a chart by the colour scheme of the screen."""


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1400, 900), (390, 844)])
def test_the_answer_is_read_without_scrolling(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / NAME
    path.write_text(small_page(), "utf-8")
    width, height = size
    with opened(path, viewport={"width": width, "height": height}) as found:
        view = found.view
        view.wait_for_selector("#answer .chart .main-svg")
        for scheme, paper in PAPER.items():
            view.emulate_media(color_scheme=scheme)
            drawn = "document.querySelector('#answer .chart').layout.paper_bgcolor"
            until(view, f"{drawn} == '{paper}'")
            for item in view.locator("#answer li").all():
                box = item.bounding_box()
                assert box["y"] + box["height"] <= height
                assert box["x"] + box["width"] <= width
            shown = "document.querySelector('#answer .chart').getBoundingClientRect().height > 0"
            until(view, shown)
            top = view.locator("#answer figure").bounding_box()["y"]
            assert top < height
            assert view.evaluate("document.documentElement.scrollWidth") <= width
        assert found.complaints == []
