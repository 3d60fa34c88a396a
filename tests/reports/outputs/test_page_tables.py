"""The tables of the page in a browser: columns, copies, downloads, definitions, anchors, paper."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.outputs.html.saving import NAME
from reports.rows.measurements import MEASUREMENT_COLUMNS
from reports.views.tables import measurement_table
from tests.reports.browser import Opened, draw_all, opened, until
from tests.saved_run import small_run

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1400, "height": 900}
WIDER = (
    "[...document.querySelectorAll('.scroll')]"
    ".filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.ariaLabel)"
)
HEADS = (
    "id => [...document.querySelectorAll(`#${id} thead th`)]"
    ".filter(each => getComputedStyle(each).display != 'none').map(each => each.innerText.trim())"
)
STOPPED = "document.documentElement.style.scrollBehavior = 'auto'"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tables") / NAME
    made.write_text(page(Analysis(*small_run())), "utf-8")
    return made


@pytest.fixture(scope="module")
def desk(path: Path) -> Iterator[Opened]:
    with opened(path, viewport=DESK, has_touch=True) as found:
        yield found
        assert found.complaints == []
        assert set(found.requests) <= {path.as_uri()} | {
            each for each in found.requests if each.startswith(("blob:", "data:"))
        }


@pytest.fixture
def view(desk: Opened, path: Path) -> Any:
    """The page as it opens, on a desk."""
    desk.view.set_viewport_size(DESK)
    desk.view.emulate_media(media="null")
    desk.view.goto(path.as_uri())
    desk.view.reload()
    return desk.view


def heads(view: Any, table: str) -> list[str]:
    found: list[str] = view.evaluate(HEADS, table)
    return found


def test_five_columns_and_the_commands_are_shown_until_all_are_asked_for(view: Any) -> None:
    five = ["problem", "implementation", "median ms", "spread ms", "peak MiB", "repeat"]
    assert heads(view, "all") == five
    box = view.locator("#measurements .unfold")
    box.focus()
    view.keyboard.press("Space")
    every = [*measurement_table(Analysis(*small_run())).head, "repeat"]
    assert heads(view, "all") == every
    assert len(heads(view, "verdicts-attention")) == 6
    view.keyboard.press("Space")
    assert heads(view, "all") == five


def test_no_table_is_wider_than_a_window_of_1400_pixels(view: Any) -> None:
    assert view.evaluate(WIDER) == []


def test_captions_stand_outside_of_what_scrolls(view: Any) -> None:
    assert view.locator(".scroll .caption, .scroll caption").count() == 0
    assert view.locator(".caption + .scroll, .caption + .find + .scroll").count() > 5


def test_the_first_two_columns_stay_when_a_table_scrolls_sideways(view: Any) -> None:
    lefts = (
        "[...document.querySelector('#all tbody tr').cells].slice(0, 3)"
        ".map(each => each.getBoundingClientRect().left)"
    )
    view.set_viewport_size(PHONE)
    view.locator("#measurements").scroll_into_view_if_needed()
    view.check("#measurements .unfold")
    first, second, third = view.evaluate(lefts)
    view.evaluate("document.querySelector('#measurements .scroll').scrollLeft = 300")
    moved = view.evaluate(lefts)
    staying = view.evaluate(
        "(() => { const cell = document.querySelector('#all tbody tr').cells[1];"
        "return cell.getBoundingClientRect().right })()"
    )
    assert moved[:2] == pytest.approx([first, second], abs=1)
    assert moved[2] == pytest.approx(third - 300, abs=1)
    assert staying < 0.7 * PHONE["width"]


@pytest.mark.parametrize("clipboard", ["asynchronous", "older"])
def test_a_button_copies_a_command_and_says_so(view: Any, clipboard: str) -> None:
    """The clipboard is read by pasting, as a reader would."""
    if clipboard == "older":
        view.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    view.click("#all tbody tr:nth-child(2) .copy")
    until(view, "document.getElementById('announced').textContent.startsWith('Copied: ')")
    said = view.inner_text("#announced").removeprefix("Copied: ")
    assert said.startswith("python run_bench.py run --problem ")
    assert view.get_attribute("#announced", "role") == "status"
    view.fill("[data-filter=all]", "")
    view.focus("[data-filter=all]")
    view.keyboard.press("Control+V")
    assert view.input_value("[data-filter=all]") == said
    view.click("#repeat .copy")
    whole = small_run()[0].command
    until(view, f"document.getElementById('announced').textContent == 'Copied: {whole}'")


def test_each_row_has_the_command_that_profiles_it_beside_the_baseline(view: Any) -> None:
    row = "#all tbody tr:has(td:text-is('chunked'))"
    said = view.text_content(f"{row} td:last-child > details:last-child")
    problem = view.text_content(f"{row} th")
    run = view.text_content(f"{row} td:last-child > details")
    settings = run.partition(' --impl "chunked"')[2]
    assert said == (
        f'profilepython run_bench.py profile --problem "{problem}" "chunked"{settings} '
        '--against "naive"'
    )
    base = view.text_content("#all tbody tr:has(td:text-is('naive')) details:last-child")
    assert "--against" not in base
    view.click(f"{row} td:last-child > details:last-child > summary")
    view.click(f"{row} .copy + details:last-child >> xpath=preceding-sibling::button[1]")
    until(view, f"document.getElementById('announced').textContent == 'Copied: {said[7:]}'")


def test_a_browser_that_copies_nothing_is_reported(view: Any) -> None:
    view.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    view.evaluate("document.execCommand = () => false")
    view.click("#all tbody .copy >> nth=0")
    until(view, "document.getElementById('announced').textContent.startsWith('Not copied')")


def downloaded(view: Any, button: str) -> tuple[str, bytes]:
    """The name and the bytes of the file that a button makes."""
    with view.expect_download() as download:
        view.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_the_measurements_are_downloaded_as_csv_and_json(view: Any) -> None:
    analysis = Analysis(*small_run())
    name, data = downloaded(view, "[data-download=csv]")
    assert name.startswith("attnbench-")
    assert name.endswith(".csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    own = analysis.measurements[0]
    assert len(rows) == len(analysis.measurements)
    assert rows[0]["problem"] == str(own.problem)
    assert float(rows[0]["median_ms"]) == pytest.approx(own.median_ms, rel=1e-5)
    assert int(rows[0]["peak_bytes"]) == own.peak_bytes
    assert rows[0]["command"].startswith("python run_bench.py run --problem ")
    _, text = downloaded(view, "[data-download=json]")
    objects = json.loads(text)
    assert list(objects[0]) == list(rows[0])
    assert objects[0]["peak_bytes"] == own.peak_bytes


def test_columns_of_downloads_are_named_as_in_exports() -> None:
    names = set(measurement_table(Analysis(*small_run())).names)
    assert names - set(MEASUREMENT_COLUMNS) == {"spread_width_ms"}


def test_a_download_has_the_rows_that_the_filters_show(view: Any) -> None:
    view.fill("[data-filter=all]", "chunked")
    _, text = downloaded(view, "[data-download=json]")
    count = len(Analysis(*small_run()).measurements)
    assert f": {len(json.loads(text))} of {count} measurements" in view.inner_text("#announced")
    view.fill("[data-filter=all]", "")
    assert {row["implementation"] for row in json.loads(text)} == {"chunked"}


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_chart_is_downloaded_as_png(view: Any, size: dict[str, int]) -> None:
    view.set_viewport_size(size)
    name, data = downloaded(view, "#chart-time-vs-length .png")
    assert name.endswith("-time-vs-length.png")
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") >= 1800  # the width, at two pixels a point


def test_every_heading_of_a_table_has_a_definition(view: Any) -> None:
    undefined = view.evaluate(
        "[...document.querySelectorAll('thead th:not([data-i])')].filter(each => {"
        " const id = each.querySelector('[aria-describedby]')?.getAttribute('aria-describedby');"
        " return !document.getElementById(id)?.querySelector('dd').textContent;"
        "}).map(each => each.textContent)"
    )
    assert undefined == []


@pytest.mark.parametrize("way", ["pointer", "keyboard", "touch"])
def test_a_definition_is_shown_beside_its_heading(view: Any, way: str) -> None:
    heading = view.locator("#all thead button", has_text="median ms")
    {"pointer": heading.hover, "keyboard": heading.focus, "touch": heading.tap}[way]()
    assert "the median of the session medians" in view.inner_text("#tip")
    view.keyboard.press("Escape")
    assert not view.is_visible("#tip")


def test_terms_in_sentences_link_to_their_definitions(view: Any) -> None:
    links = view.locator("a.term[href]").all()
    places = {each.get_attribute("href") for each in links}
    assert all(view.locator(str(place)).count() == 1 for place in places)
    assert view.locator("#term-disturbed dd").inner_text().startswith("A round")
    assert "identical code" in view.inner_text("#term-noise-floor dd")


def test_a_link_past_the_head_of_the_page_is_the_first_stop(view: Any) -> None:
    view.keyboard.press("Tab")
    assert view.evaluate("document.activeElement.className") == "skip"
    view.keyboard.press("Enter")
    assert view.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_links_of_the_navigation_land_on_their_heading(view: Any, size: dict[str, int]) -> None:
    view.set_viewport_size(size)
    view.evaluate(STOPPED)
    until(view, "getComputedStyle(document.documentElement).getPropertyValue('--bar') != ''")
    for place in [each.get_attribute("href") for each in view.locator("nav a").all()]:
        view.evaluate("place => { location.hash = ''; location.hash = place }", place)
        view.wait_for_timeout(150)
        top, bar, left = view.evaluate(
            "place => [document.querySelector(place).getBoundingClientRect().top,"
            " document.getElementById('filters').getBoundingClientRect().bottom,"
            " document.body.scrollHeight - innerHeight - scrollY]",
            place,
        )
        covered = bar if size is DESK else 0
        assert top >= covered - 1, place
        assert top < covered + 40 or left < 2, place


def pages_of(view: Any) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", view.pdf(format="A4")))


def test_paper_has_four_pages_at_most_and_everything_on_demand(view: Any) -> None:
    draw_all(Opened(view))
    few = pages_of(view)
    view.check("#print-all")
    assert view.evaluate("location.hash") == "#?print=all"
    every = pages_of(view)
    assert few <= 4
    assert every > 10


def test_an_address_asks_for_everything_on_paper(view: Any, path: Path) -> None:
    view.goto(f"{path.as_uri()}#print=all")
    view.reload()
    assert view.is_checked("#print-all")
    view.emulate_media(media="print")
    assert view.is_visible("#measurements")
    view.evaluate("document.getElementById('print-all').checked = false")
    assert not view.is_visible("#measurements")
    assert view.is_visible("#machine")


def test_charts_fit_paper_and_have_their_size_again_after_it(view: Any) -> None:
    width = "document.querySelector('[data-family=time_vs_length] .main-svg').clientWidth"
    draw_all(Opened(view))
    before = view.evaluate(width)
    view.emulate_media(media="print")
    until(view, f"{width} == 680")
    view.emulate_media(media="screen")
    until(view, f"{width} == {before}")
