"""A hostile page in a browser: no script of it runs, no request is made, all of it is text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import NAME, page
from reports.views import text as texts
from tests.reports import browser
from tests.reports.browser import Opened, draw_all, opened
from tests.reports.hostile_run import NAMES, hostile_run
from tests.reports.section_by_hand import by_hand, points
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
            "naive",
            "lined",
            "ceiling",
        ]
        ys = seen.view.evaluate(f"{drawn}.data.map(each => each.y)")
        low, high = seen.view.evaluate(f"{drawn}.layout.xaxis.range")
        assert seen.complaints == []
    assert ys == [list(line.y), list(twice.y), [None, *lined.y, None]]
    assert 10**low < 32
    assert 10**high > 2048


def one_line(text: str) -> str:
    return " ".join(text.replace("\xa0", " ").split())


def test_no_script_runs_and_no_request_or_window_opens(found: Opened, path: Path) -> None:
    for element in found.view.locator(".charts .legendtext, summary, thead button").all()[:40]:
        element.dispatch_event("click")
    found.view.fill("[data-filter=all]", NAMES["image"])
    assert found.complaints == []
    assert found.dialogs == []
    assert found.requests == [path.as_uri()]
    assert found.view.title().startswith("Attention: ")
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
