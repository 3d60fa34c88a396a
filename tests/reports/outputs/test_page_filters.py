"""The page in a browser: what filters, switches, headings and looks change, by its data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.html import contents
from reports.outputs.html.page import page
from reports.outputs.html.saving import NAME
from reports.views.charts.sizes import charts
from tests.reports.browser import DRAW_ALL, Opened, draw_all, opened, until
from tests.reports.section_by_hand import by_hand
from tests.saved_run import small_run

pytestmark = pytest.mark.browser


FAMILIES = ("time_vs_length", "time_vs_heads", "layers_time_vs_length")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a small run, with one more section made by hand.

    It has three of the run's families of charts: every filter draws all charts anew.
    """
    made = tmp_path_factory.mktemp("plain") / NAME
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "sections_of", lambda *_: [by_hand()])
        patch.setattr(contents, "rankings_charts", lambda *_: [])
        patch.setattr(
            contents, "charts", lambda own: [each for each in charts(own) if each.key in FAMILIES]
        )
        made.write_text(page(Analysis(*small_run())), "utf-8")
    return made


@pytest.fixture(scope="module")
def seen(plain: Path) -> Iterator[Opened]:
    with opened(plain, viewport={"width": 1200, "height": 900}) as found:
        draw_all(found)
        yield found
        assert found.complaints == []
        assert found.requests == [plain.as_uri()] * len(found.requests)


@pytest.fixture
def view(seen: Opened) -> Iterator[Any]:
    """The page with every filter as it was at first."""
    yield seen.view
    seen.view.evaluate("document.querySelector('#filters button[type=reset]').click()")
    until(seen.view, "document.querySelectorAll('#filters input:not(:checked)').length == 0")


def traces(view: Any, family: str) -> list[str]:
    """The names of what a chart draws."""
    view.evaluate(DRAW_ALL)
    found: list[str] = view.evaluate(
        "key => document.querySelector(`[data-family=${key}]`).data.map(each => each.name)", family
    )
    return found


def rows(view: Any, table: str = "all") -> list[list[str]]:
    """The cells of the rows of a table that show."""
    found: list[list[str]] = view.evaluate(
        "id => [...document.querySelectorAll(`#${id} tbody tr:not([hidden])`)]"
        ".map(row => [...row.cells].map(cell => cell.textContent))",
        table,
    )
    return found


def leave_out(view: Any, facet: int, value: str) -> None:
    """Take a value out by its control."""
    box = f"[data-facet='{facet}']"
    view.evaluate("box => { document.querySelector(box).open = true; }", box)
    view.locator(f"{box} label").filter(has_text=re.compile(rf"^\s*{re.escape(value)}\s*$")).click()


def axis_type(view: Any, axis: str) -> str:
    view.evaluate(DRAW_ALL)
    found: str = view.evaluate(
        "axis => document.querySelector('[data-family=time_vs_length]').layout[axis].type", axis
    )
    return found


def test_leaving_out_an_implementation_acts_on_charts_tables_and_grids(view: Any) -> None:
    assert "chunked" in traces(view, "time_vs_length")
    leave_out(view, 0, "chunked")
    assert "chunked" not in traces(view, "time_vs_length")
    assert "97 of 115 measurements" in view.inner_text("#shown")
    assert {row[1] for row in rows(view)} & {"chunked", "naive"} == {"naive"}
    heads = view.eval_on_selector_all(
        ".agreement th[data-i]", "all => all.filter(e => !e.hidden).map(e => e.textContent)"
    )
    assert len(heads) == 9
    assert "chunked" not in heads
    shown = "row => [...row.cells].filter(cell => !cell.hidden).length"
    assert view.eval_on_selector(".agreement tbody tr", shown) == 10


def test_leaving_out_a_mask_changes_charts_and_rows(view: Any) -> None:
    assert "local_window" in traces(view, "time_vs_length")  # it opens on the richest chart
    view.select_option("[data-for=time_vs_length]", label="full mask")
    assert "local_window" not in traces(view, "time_vs_length")
    leave_out(view, 3, "full")
    assert "local_window" in traces(view, "time_vs_length")
    assert all("window:128" in row[0] for row in rows(view))
    assert not view.is_visible("#chart-winners")
    leave_out(view, 3, "full")
    leave_out(view, 3, "window:128")
    assert "local_window" not in traces(view, "time_vs_length")
    assert all("window:128" not in row[0] for row in rows(view))
    assert view.is_visible("#chart-winners")


def test_leaving_out_a_number_of_heads_shortens_lines(view: Any) -> None:
    sizes = "document.querySelector('[data-family=time_vs_heads]').data[0].x"
    assert view.evaluate(sizes) == [1, 2, 4, 8, 16]
    leave_out(view, 5, "2")
    view.evaluate(DRAW_ALL)
    assert view.evaluate(sizes) == [1, 4, 8, 16]
    assert len(rows(view)) == 115 - 13


def test_a_table_that_the_filters_leave_nothing_of_says_so(view: Any) -> None:
    nothing = "#by-hand .nothing"
    assert view.locator(".nothing").count() == 0
    leave_out(view, 0, "naive")
    assert view.locator(nothing).inner_text() == "nothing matches the filters"
    assert not view.is_visible("#by-hand table")
    assert view.is_visible("#all")
    leave_out(view, 0, "naive")
    assert view.locator(nothing).count() == 0
    assert view.is_visible("#by-hand table")


def test_a_grid_without_a_column_says_so(view: Any) -> None:
    for name in ("multi_head", "torch_multi_head"):
        leave_out(view, 0, name)
    assert view.locator("#layers .nothing").count() == 2  # times and memory
    assert view.locator("#attention .nothing").count() == 0


def test_a_search_without_a_match_has_a_note(view: Any) -> None:
    view.fill("[data-filter=all]", "no such implementation")
    assert view.locator("#measurements .nothing").count() == 1
    view.fill("[data-filter=all]", "")
    assert view.locator("#measurements .nothing").count() == 0


def test_the_address_keeps_filters_and_axes(view: Any) -> None:
    leave_out(view, 0, "chunked")
    view.select_option("[data-axis=y]", "linear")
    assert axis_type(view, "yaxis") == "linear"
    until(
        view, "location.hash.includes('implementation=naive') && location.hash.endsWith('linear')"
    )
    address = view.url
    assert "implementation=naive" in address
    assert address.endswith("y=linear")
    view.evaluate("document.querySelector('#filters button[type=reset]').click()")
    until(view, "location.hash == ''")
    assert axis_type(view, "yaxis") == "log"
    view.evaluate("address => { location.href = address; }", address)
    until(view, "document.getElementById('shown').textContent.startsWith('97 of 115')")
    assert axis_type(view, "yaxis") == "linear"
    assert "chunked" not in traces(view, "time_vs_length")


def test_points_bare_lines_and_maps_are_drawn(view: Any) -> None:
    view.evaluate(DRAW_ALL)
    data = "key => document.querySelector(`[data-family=${key}]`).data"
    points, line = view.evaluate(data, "points")
    assert (points["mode"], line["mode"]) == ("markers", "lines")
    assert points["error_y"]["array"] == pytest.approx([0.1, 0.1, 0.1])
    assert line["x"] == [128, 300, 512]
    naive, flash = view.evaluate(data, "winners")
    assert (naive["name"], flash["name"]) == ("naive", "sdpa_flash")
    assert naive["marker"]["pattern"]["shape"] == ["", "/"]
    assert naive["text"] == ["naive", "naive ?"]
    leave_out(view, 0, "naive")
    assert traces(view, "winners") == ["sdpa_flash"]


def test_a_heading_sorts_and_a_word_finds(view: Any) -> None:
    view.click("#all button >> text=median ms")
    times = view.eval_on_selector_all(
        "#all tbody tr",
        "all => all.map(row => +(row.cells[2].dataset.v || row.cells[2].textContent))",
    )
    assert times == sorted(times)
    view.fill("[data-filter=all]", "chunked t2048")
    assert len(rows(view)) == 2
    view.fill("[data-filter=all]", "")
    view.fill("[data-filter=verdicts-attention]", "faster sdpa_flash t2048")
    assert len(rows(view, "verdicts-attention")) == 2
    view.fill("[data-filter=verdicts-attention]", "")


HEADS = (
    "[...document.querySelectorAll('.sortable thead th')]"
    ".filter(head => getComputedStyle(head).display != 'none').map(head => head.textContent)"
)
LINES = (
    "[...document.querySelectorAll('.reasons tbody th span, .reasons tbody th')]"
    ".map(each => each.clientHeight / parseFloat(getComputedStyle(each).lineHeight))"
)
BROKEN = """[...document.querySelectorAll("#all td[data-v], .numbers td")].filter((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return range.getClientRects().length > 1;
}).map((cell) => cell.textContent.trim()).filter((text) => !text.includes(" "))"""


class Paper(NamedTuple):
    """The page as it is printed, read in one change of medium: each draws all charts anew.

    on_screen  the headings of sortable tables before
    heads      those that are printed
    has_all    whether the table of all measurements is printed
    lines      the heights of names beside reasons, in lines of text
    broken     numbers on more than one line, on narrow paper
    """

    on_screen: list[str]
    heads: list[str]
    has_all: bool
    lines: list[float]
    broken: list[str]


@pytest.fixture(scope="module")
def paper(seen: Opened) -> Paper:
    """Every section is on paper, not the summary alone."""
    view, wanted = seen.view, "on => { document.getElementById('print-all').checked = on }"
    on_screen = view.evaluate(HEADS)
    view.evaluate(wanted, True)
    view.emulate_media(media="print")
    heads, has_all, lines = view.evaluate(HEADS), view.is_visible("#all"), view.evaluate(LINES)
    view.set_viewport_size({"width": 680, "height": 900})
    broken = view.evaluate(BROKEN)
    view.emulate_media(media="screen")
    view.evaluate(wanted, False)
    view.set_viewport_size({"width": 1200, "height": 900})
    return Paper(on_screen, heads, has_all, lines, broken)


def test_paper_has_no_column_of_commands(paper: Paper) -> None:
    assert paper.on_screen.count("repeat") == 4  # measurements, verdicts of two panels, by hand
    assert paper.heads == [head for head in paper.on_screen if head != "repeat"]


def test_no_number_breaks_on_paper(paper: Paper) -> None:
    assert paper.has_all
    assert paper.broken == []


def test_a_name_beside_a_reason_is_on_one_line_on_paper(paper: Paper) -> None:
    assert min(paper.lines) > 0
    assert max(paper.lines) < 2


def test_a_page_that_turns_dark_draws_its_charts_anew(seen: Opened) -> None:
    paper = "document.querySelector('[data-family=time_vs_length]').layout.paper_bgcolor"
    assert seen.view.evaluate(paper) == "#ffffff"
    seen.view.locator("[data-family=time_vs_length]").scroll_into_view_if_needed()
    seen.view.emulate_media(color_scheme="dark")
    until(seen.view, f"{paper} == '#14171c'")
    seen.view.emulate_media(color_scheme="light")
    until(seen.view, f"{paper} == '#ffffff'")
