"""A hostile page in a browser: no script of it runs, no request is made, all of it is text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
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


OWN, BARE = points().series
AGAIN = replace(OWN, x=(128, 128, 512), low=(), high=())
LINED = replace(OWN, name="lined", drawn="line", low=(), high=())
CLOSE = tuple(
    replace(OWN, name=name, implementation=name, y=(1.0, 2.0, 4.0 + place / 1000))
    for place, name in enumerate(("naive", "chunked", "sdpa_flash", "sdpa_math"))
)
FAR = replace(OWN, y=(1.0, 2.1, 4e6), low=(), high=())
ZERO = replace(OWN, y=(0.0, 2.0, 4.0), low=(), high=())
BAR = replace(OWN, x=(1.5,), y=(1,), low=(1.2,), high=(1.9,), hover=("a",))
DECIDED = replace(winners().tiles[0], lead="next 1.90x")
MANY = tuple(replace(winners().tiles[1], x=2**step) for step in range(12))
POOR = replace(points(), key="several", label="poor", note="The poor one.", series=(BARE,))
RICH = replace(points(), key="several", label="rich", note="The rich one.")
CHARTS: tuple[Chart | Map, ...] = (
    points(),
    replace(
        points(),
        key="over_sizes",
        series=(BARE, AGAIN, LINED),
        sizes=(32.0, 128.0, 256.0, 512.0, 2048.0),
    ),
    replace(points(), key="close", series=CLOSE),
    replace(points(), key="beyond", series=(FAR,), clip=(1.0, 4.0)),
    replace(points(), key="on_axis", series=(ZERO,), log_y=False, log_x=False),
    replace(winners(), key="tiles", tiles=(DECIDED, *winners().tiles[1:])),
    replace(winners(), key="many_tiles", tiles=(DECIDED, *MANY)),
    *(POOR, RICH, POOR),
    replace(points(), key="in_rows", series=(BAR,), rows=("first", "naive\n1.50x")),
)
"""Charts made by hand. Each key is a family on the page."""


@dataclass(frozen=True)
class Seen:
    """All that the tests ask of a page with CHARTS, read in one visit.

    families  the traces, the layout, the legend and the note of each family made by hand
    buttons   the boxes of the buttons of charts
    titles    of those buttons
    drawn     the boxes of legends and of the areas with lines
    """

    families: dict[str, Any]
    buttons: list[dict[str, float]]
    titles: list[str]
    drawn: list[dict[str, float]]


def boxes(view: Any, selector: str) -> list[dict[str, float]]:
    """The boxes of the visible elements."""
    found: list[dict[str, float]] = view.evaluate(
        "(wanted) => [...document.querySelectorAll(wanted)].map(each => each"
        ".getBoundingClientRect().toJSON())",
        selector,
    )
    return [each for each in found if each["width"]]


FAMILY = """key => {
  const place = document.querySelector(`[data-family=${key}]`);
  return {
    data: place.data,
    layout: place.layout,
    legend: [...place.querySelectorAll(".legendtext")].map(each => each.textContent),
    note: place.parentElement.querySelector(".note")?.textContent,
  };
}"""


@cache
def by_hand_page() -> str:
    further = [replace(by_hand(), charts=CHARTS)]
    return page(Analysis(*small_run()), further=further)


@cache
def read(width: int) -> Seen:
    """The page with CHARTS in a window of this width."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_text(by_hand_page(), "utf-8")
        with opened(path, viewport={"width": width, "height": 900}) as seen:
            draw_all(seen)
            view = seen.view
            titles = "[...document.querySelectorAll('.modebar-btn')].map(e => e.dataset.title)"
            found = Seen(
                families={each.key: view.evaluate(FAMILY, each.key) for each in CHARTS},
                buttons=boxes(view, ".modebar-group"),
                titles=view.evaluate(titles),
                drawn=boxes(view, ".chart .legend .bg, .chart .legendtext, .chart .nsewdrag"),
            )
            assert seen.complaints == []
    return found


DESK, PHONE = 1280, 390


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_buttons_of_a_chart_cover_neither_its_legend_nor_its_lines(width: int) -> None:
    seen = read(width)
    assert len(seen.drawn) > 10
    wide = {"Reset axes", "Zoom", "Pan", "Download plot as a PNG"}  # none sends anything away
    assert set(seen.titles) == (wide if width == DESK else set())
    assert bool(seen.buttons) is (width == DESK)
    for button in seen.buttons:
        assert not [each for each in seen.drawn if overlap(button, each)]


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["left"] < other["right"]
        and other["left"] < one["right"]
        and one["top"] < other["bottom"]
        and other["top"] < one["bottom"]
    )


def test_a_page_draws_all_points_over_all_sizes_with_reference_lines_last_in_the_legend() -> None:
    found = read(DESK).families["over_sizes"]
    assert found["legend"] == ["ceiling"]
    named = [each["text"] for each in found["layout"]["annotations"]]
    assert sorted(named) == ["lined", "naive"]
    ys = [each["y"] for each in found["data"]]
    assert ys == [list(BARE.y), list(AGAIN.y), [None, *LINED.y, None]]
    low, high = found["layout"]["xaxis"]["range"]
    assert 10**low < 32
    assert 10**high > 2048


def test_a_phone_has_no_room_for_names_at_line_ends_and_keeps_the_legend() -> None:
    found = read(PHONE).families["points"]
    assert found["legend"] == ["naive", "ceiling"]
    assert not found["layout"].get("annotations")


def test_names_at_line_ends_are_shifted_apart_on_the_page() -> None:
    found = read(DESK).families["close"]
    named = found["layout"]["annotations"]
    assert [each["text"] for each in named] == ["naive", "chunked", "sdpa_flash", "sdpa_math"]
    heights = sorted(-each["ay"] for each in named)
    assert all(other - one >= 14 for one, other in pairwise(heights))
    assert found["legend"] == []


def test_a_point_beyond_the_axis_is_an_arrow_at_its_edge_on_the_page() -> None:
    found = read(DESK).families["beyond"]
    line, arrow = found["data"]
    assert line["y"] == [1.0, 2.1, 4.0]
    assert (arrow["x"], arrow["y"]) == ([512], [4.0])
    assert arrow["marker"]["symbol"] == ["arrow-up"]
    low, high = found["layout"]["yaxis"]["range"]
    assert 10**low < 1
    assert 4 < 10**high < 10


def test_no_point_lies_on_an_axis_of_the_page() -> None:
    layout = read(DESK).families["on_axis"]["layout"]
    assert layout["yaxis"]["range"][0] < 0
    assert layout["yaxis"]["range"][1] > 4
    assert layout["xaxis"]["range"][0] < 128
    assert layout["xaxis"]["range"][1] > 512


def test_a_tile_of_the_page_says_its_lead_or_a_number() -> None:
    naive, flash = read(DESK).families["tiles"]["data"]
    assert naive["text"] == ["naive<br>next 1.90x", "naive ?"]
    assert naive["textfont"]["color"][0] in {"#000000", "#ffffff"}
    assert flash["name"] == "sdpa_flash"
    found = read(PHONE).families["many_tiles"]
    assert found["data"][1]["text"] == ["2"] * 12
    assert found["legend"][1] == "2  sdpa_flash"


def test_a_family_opens_on_the_chart_with_most_implementations_and_points() -> None:
    assert read(DESK).families["several"]["note"] == "The rich one."
    assert POOR.richness < RICH.richness


def test_a_chart_with_rows_has_a_text_for_each_and_bars_along_x() -> None:
    found = read(DESK).families["in_rows"]
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
