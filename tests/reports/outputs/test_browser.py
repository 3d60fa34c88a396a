"""A hostile page in a browser: no script of it runs, no request is made, all of it is text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.outputs.html.saving import NAME
from reports.views import text as texts
from reports.views.charts.chart import Chart, Map
from tests.reports import browser
from tests.reports.browser import Opened, draw_all, opened
from tests.reports.hostile_run import NAMES, hostile_run
from tests.reports.section_by_hand import by_hand, points, winners
from tests.saved_run import small_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile") / NAME
    made.write_text(page(Analysis(*hostile_run())), "utf-8")
    return made


@pytest.fixture(scope="module")
def found(path: Path) -> Iterator[Opened]:
    with opened(path, viewport={"width": 1200, "height": 900}) as seen:
        draw_all(seen)
        yield seen


def test_a_browser_that_is_required_and_not_there_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("ATTNBENCH_REQUIRE", "chromium")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE names chromium: no chromium on the"):
        browser.binary()
    monkeypatch.setenv("ATTNBENCH_REQUIRE", "")
    with pytest.raises(pytest.skip.Exception, match="no chromium on the PATH"):
        browser.binary()


def boxes(view: Any, selector: str) -> list[dict[str, float]]:
    """The boxes of the visible elements."""
    found: list[dict[str, float]] = view.evaluate(
        "(wanted) => [...document.querySelectorAll(wanted)].map(each => each"
        ".getBoundingClientRect().toJSON())",
        selector,
    )
    return [each for each in found if each["width"]]


@pytest.mark.parametrize("width", [1280, 400])
def test_the_buttons_of_a_chart_cover_neither_its_legend_nor_its_lines(
    width: int, tmp_path: Path
) -> None:
    path = tmp_path / NAME
    path.write_text(page(Analysis(*small_run())), "utf-8")
    with opened(path, viewport={"width": width, "height": 900}) as seen:
        draw_all(seen)
        buttons = boxes(seen.view, ".modebar-group")
        named = seen.view.evaluate(
            "[...document.querySelectorAll('.modebar-btn')].map(each => each.dataset.title)"
        )
        drawn = boxes(seen.view, ".chart .legend .bg, .chart .legendtext, .chart .nsewdrag")
    assert len(drawn) > 10
    wide = {"Reset axes", "Zoom", "Pan", "Download plot as a PNG"}  # none sends anything away
    assert set(named) == (wide if width == 1280 else set())
    assert bool(buttons) is (width == 1280)
    for button in buttons:
        assert not [each for each in drawn if overlap(button, each)]


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["left"] < other["right"]
        and other["left"] < one["right"]
        and one["top"] < other["bottom"]
        and other["top"] < one["bottom"]
    )


def test_a_page_draws_all_points_over_all_sizes_with_reference_lines_last_in_the_legend(
    tmp_path: Path,
) -> None:
    own, line = points().series
    twice = replace(own, x=(128, 128, 512), low=(), high=())
    lined = replace(own, name="lined", drawn="line", low=(), high=())
    sizes = (32.0, 128.0, 256.0, 512.0, 2048.0)
    chart = replace(points(), series=(line, twice, lined), sizes=sizes)
    analysis = Analysis(*small_run())
    further = [replace(by_hand(), charts=(chart,))]
    path = tmp_path / NAME
    path.write_text(page(analysis, further=further), "utf-8")
    with opened(path, viewport={"width": 1280, "height": 900}) as seen:
        draw_all(seen)
        drawn = "document.querySelector('[data-family=points]')"
        assert seen.view.locator("[data-family=points] .legendtext").all_text_contents() == [
            "ceiling",
        ]
        named = seen.view.evaluate(f"{drawn}.layout.annotations.map(each => each.text)")
        assert sorted(named) == ["lined", "naive"]
        ys = seen.view.evaluate(f"{drawn}.data.map(each => each.y)")
        low, high = seen.view.evaluate(f"{drawn}.layout.xaxis.range")
        assert seen.complaints == []
    assert ys == [list(line.y), list(twice.y), [None, *lined.y, None]]
    assert 10**low < 32
    assert 10**high > 2048


def drawn_with(tmp_path: Path, *charts: Chart | Map, width: int = 1280) -> Any:
    """The first family of charts made by hand, as the page draws it."""
    further = [replace(by_hand(), charts=charts)]
    path = tmp_path / NAME
    path.write_text(page(Analysis(*small_run()), further=further), "utf-8")
    with opened(path, viewport={"width": width, "height": 900}) as seen:
        draw_all(seen)
        place = f"document.querySelector('[data-family={charts[0].key}]')"
        legend = seen.view.locator(f"[data-family={charts[0].key}] .legendtext")
        found = {
            "data": seen.view.evaluate(f"{place}.data"),
            "layout": seen.view.evaluate(f"{place}.layout"),
            "legend": legend.all_text_contents(),
            "note": seen.view.evaluate(f"{place}.parentElement.querySelector('.note').textContent"),
        }
        assert seen.complaints == []
    return found


def test_a_phone_has_no_room_for_names_at_line_ends_and_keeps_the_legend(tmp_path: Path) -> None:
    found = drawn_with(tmp_path, points(), width=390)
    assert found["legend"] == ["naive", "ceiling"]
    assert not found["layout"].get("annotations")


def test_names_at_line_ends_are_shifted_apart_on_the_page(tmp_path: Path) -> None:
    own = points().series[0]
    many = tuple(
        replace(own, name=name, implementation=name, y=(1.0, 2.0, 4.0 + place / 1000))
        for place, name in enumerate(("naive", "chunked", "sdpa_flash", "sdpa_math"))
    )
    found = drawn_with(tmp_path, replace(points(), series=many))
    named = found["layout"]["annotations"]
    assert [each["text"] for each in named] == ["naive", "chunked", "sdpa_flash", "sdpa_math"]
    heights = sorted(-each["ay"] for each in named)
    assert all(other - one >= 14 for one, other in pairwise(heights))
    assert found["legend"] == []


def test_a_point_beyond_the_axis_is_an_arrow_at_its_edge_on_the_page(tmp_path: Path) -> None:
    far = replace(points().series[0], y=(1.0, 2.1, 4e6), low=(), high=())
    chart = replace(points(), series=(far,), clip=(1.0, 4.0))
    found = drawn_with(tmp_path, chart)
    line, arrow = found["data"]
    assert line["y"] == [1.0, 2.1, 4.0]
    assert (arrow["x"], arrow["y"]) == ([512], [4.0])
    assert arrow["marker"]["symbol"] == ["arrow-up"]
    low, high = found["layout"]["yaxis"]["range"]
    assert 10**low < 1
    assert 4 < 10**high < 10


def test_no_point_lies_on_an_axis_of_the_page(tmp_path: Path) -> None:
    zero = replace(points().series[0], y=(0.0, 2.0, 4.0), low=(), high=())
    chart = replace(points(), series=(zero,), log_y=False, log_x=False)
    layout = drawn_with(tmp_path, chart)["layout"]
    assert layout["yaxis"]["range"][0] < 0
    assert layout["yaxis"]["range"][1] > 4
    assert layout["xaxis"]["range"][0] < 128
    assert layout["xaxis"]["range"][1] > 512


def test_a_tile_of_the_page_says_its_lead_or_a_number(tmp_path: Path) -> None:
    decided = replace(winners().tiles[0], lead="next 1.90x")
    wide = replace(winners(), tiles=(decided, *winners().tiles[1:]))
    (naive, flash) = drawn_with(tmp_path, wide)["data"]
    assert naive["text"] == ["naive<br>next 1.90x", "naive ?"]
    assert naive["textfont"]["color"][0] in {"#000000", "#ffffff"}
    many = tuple(replace(winners().tiles[1], x=2**step) for step in range(12))
    found = drawn_with(tmp_path, replace(winners(), tiles=(decided, *many)), width=390)
    assert found["data"][1]["text"] == ["2"] * 12
    assert found["legend"][1] == "2  sdpa_flash"
    assert flash["name"] == "sdpa_flash"


def test_a_family_opens_on_the_chart_with_most_implementations_and_points(tmp_path: Path) -> None:
    poor = replace(points(), label="poor", note="The poor one.", series=points().series[1:])
    rich = replace(points(), label="rich", note="The rich one.")
    assert drawn_with(tmp_path, poor, rich, poor)["note"] == "The rich one."
    assert poor.richness < rich.richness


def test_a_chart_with_rows_has_a_text_for_each_and_bars_along_x(tmp_path: Path) -> None:
    own = replace(points().series[0], x=(1.5,), y=(1,), low=(1.2,), high=(1.9,), hover=("a",))
    found = drawn_with(tmp_path, replace(points(), series=(own,), rows=("first", "naive\n1.50x")))
    assert found["layout"]["yaxis"]["ticktext"] == ["first", "naive<br>1.50x"]
    assert found["layout"]["yaxis"]["range"] == [1.5, -0.5]
    assert found["data"][0]["error_x"]["array"] == pytest.approx([0.4])
    assert found["legend"] == []


def one_line(text: str) -> str:
    return " ".join(text.replace("\xa0", " ").split())


def test_no_script_runs_and_no_request_or_window_opens(found: Opened, path: Path) -> None:
    for element in found.view.locator(".charts .legendtext, summary, thead button").all()[:40]:
        element.dispatch_event("click")
    found.view.fill("[data-filter=all]", NAMES["image"])
    assert found.complaints == []
    assert found.dialogs == []
    assert found.requests == [path.as_uri()]
    assert found.view.title().startswith("29 implementations: ")
    assert "taken" not in found.view.title().split("=")[0]
    found.view.fill("[data-filter=all]", "")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_name_is_seen_as_text(found: Opened, name: str) -> None:
    heads = map(one_line, found.view.locator(".agreement thead th").all_inner_texts())
    assert one_line(texts.abbreviated(name)) in set(heads)


def test_the_legends_of_the_charts_show_names_as_text(found: Opened) -> None:
    shown = {one_line(each) for each in found.view.locator(".legendtext").all_text_contents()}
    for kind in ("script", "image", "formula of TeX", "entity", "jinja", "markup"):
        assert one_line(texts.abbreviated(NAMES[kind])) in shown


def test_no_text_makes_the_page_wider_than_its_window(found: Opened) -> None:
    assert found.view.evaluate("document.documentElement.scrollWidth") <= 1200
    widest = found.view.evaluate(
        "Math.max(...[...document.querySelectorAll('th')].map(each => each.offsetWidth))"
    )
    assert widest < 1600


def test_a_script_that_is_not_ours_does_not_run(found: Opened) -> None:
    """Were the escaping ever to fail, the page's policy would still keep it from running."""
    found.view.evaluate(
        "html => document.body.insertAdjacentHTML('beforeend', html)",
        """<img src="data:," onerror="document.title = 1">"""
        """<a href="javascript:document.title = 3" id="go">go</a>""",
    )
    found.view.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'document.title = 2'}))"
    )
    found.view.click("#go")
    found.view.wait_for_timeout(100)
    assert found.view.title() not in ("1", "2", "3")
    assert any("Content Security Policy" in each for each in found.complaints)
    assert found.dialogs == []
