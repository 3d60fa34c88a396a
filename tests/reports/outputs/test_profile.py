"""The files of a profile: the page, images, data; and the answer in the terminal."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.outputs import profiling, reporting
from reports.outputs.export.profile_data import FORMAT, VERSION, of_profiles
from reports.outputs.html import profile_page
from reports.outputs.terminal.profile_tables import MOST_ROWS
from suites.conducting import Conducted
from suites.records.codec import from_json
from suites.records.profile import Profile
from tests.reports.browser import DRAW_ALL, draw_all, opened, until
from tests.reports.profile_by_hand import LONGER, PROBLEM, found, profile
from tests.saved_run import stored

SECTIONS = {"time", "call-tree", "measured"}


def done(own: ProfiledRun) -> Conducted:
    run, records = own.analysis.run, own.analysis.records
    return Conducted(run, stored(run, records), records)


def strictly(text: str) -> Any:
    """JSON as its standard has it: no NaN, no infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def test_the_folder_has_page_data_and_an_image_of_each_chart(tmp_path: Path) -> None:
    made = profiling.write(found(), tmp_path, quiet=True)
    assert made is not None
    names = {path.name for path in tmp_path.iterdir()}
    assert {"profile.html", "profile.json", "flame_other.png", "flame_base.png"} <= names
    for path in made.charts:
        with Image.open(path) as image:
            assert image.width > 1500


def test_lengths_of_one_implementation_are_small_multiples_on_one_image(tmp_path: Path) -> None:
    own = found(profile(), profile(problem=LONGER, scale=4))
    profiling.write(own, tmp_path, quiet=True)
    assert len(list(tmp_path.glob("flame_*.png"))) == 1
    with Image.open(tmp_path / "flame_other.png") as image:
        both = image.height
    profiling.write(found(profile()), tmp_path, quiet=True)
    with Image.open(tmp_path / "flame_other.png") as image:
        assert image.height < both


def test_the_page_has_the_answer_before_the_sections_and_links_its_files(tmp_path: Path) -> None:
    (tmp_path / "other.trace.json").write_text("{}")
    html = profile_page.page(found(), tmp_path)
    answer, first = html.index("times as long as base: slower"), html.index('<section id="time">')
    assert answer < first
    assert '<a href="other.trace.json">' in html
    assert '<a href="base.trace.json">' not in html
    assert "python run_bench.py run quick" in html


def test_names_of_strangers_are_text_on_the_page(tmp_path: Path) -> None:
    bad = '<img src=x onerror="document.title=1">'
    nodes = tuple(
        replace(node, name=bad) if node.kind == "operator" else node for node in profile().nodes
    )
    hostile = replace(profile(), nodes=nodes, files=(f"{bad}.trace.json",), no_lines=bad)
    html = profile_page.page(found(hostile), tmp_path)
    assert "<img" not in html
    assert "&lt;img" in html


def test_data_have_every_section_and_read_back(tmp_path: Path) -> None:
    own = found()
    profiling.write(own, tmp_path, quiet=True)
    data = strictly((tmp_path / "profile.json").read_text())
    assert (data["format"], data["version"], data["run"]) == (FORMAT, VERSION, "2026-01-02-quick")
    assert {each["id"] for each in data["sections"]} >= SECTIONS
    assert [from_json(Profile, json.dumps(each)) for each in data["profiles"]] == list(own.profiles)
    assert {each["implementation"] for each in data["measurements"]} == {"other", "base"}
    assert [each["verdict"] for each in data["verdicts"]] == ["slower"]
    table = data["sections"][0]["tables"][0]
    assert all(len(row) == len(table["columns"]) for row in table["rows"])


def test_a_cell_of_the_data_is_a_number_or_nothing_where_it_was_not_measured() -> None:
    tables = [table for each in of_profiles(found())["sections"] for table in each["tables"]]
    (measured,) = (table for table in tables if "verdict" in table["columns"])
    place = measured["columns"].index("ratio [95 %]")
    ratio, none = (row[place] for row in measured["rows"])
    assert ratio == pytest.approx(2.0, rel=1e-2)
    assert none is None


def test_json_in_the_terminal_is_what_the_file_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = found()
    assert profiling.report(done(own), list(own.profiles), tmp_path, as_json=True) == 0
    assert capsys.readouterr().out == (tmp_path / "profile.json").read_text()


def test_the_terminal_has_the_answer_the_operators_and_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    own = found()
    profiling.report(done(own), list(own.profiles), tmp_path, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "times as long as base: slower" in lines[0]
    row = next(line for line in lines if line.startswith("bmm"))
    assert row.split()[1:4] == ["60", "%", "6.00"]
    assert row.rstrip().endswith("other.py:7 other")
    assert not any(line.startswith("view") for line in lines)
    assert lines[-1] == str(tmp_path / "profile.html")
    assert str(tmp_path / "other.trace.json") in lines
    assert MOST_ROWS == 8


def test_a_failure_under_the_profiler_is_said_and_the_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed = Profile(implementation="other", problem=PROBLEM, threads=2, fault="crashed: signal")
    own = found(crashed, profile("base"))
    assert profiling.report(done(own), list(own.profiles), tmp_path, as_json=False) == 1
    out = capsys.readouterr().out
    assert "other failed under the profiler" in out
    assert "crashed: signal" in out
    assert (tmp_path / "profile.html").exists()


def test_without_drawing_packages_the_data_and_the_answer_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = found()
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert profiling.report(done(own), list(own.profiles), tmp_path, as_json=False) == 0
    said = capsys.readouterr()
    assert "times as long as base: slower" in said.out
    assert "no page and no charts: plotly is not installed" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["profile.json"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match=r"cannot be written to .*file.*; name another --out"):
        profiling.write(found(), file, quiet=True)


def test_a_report_of_a_run_with_profiles_writes_and_links_their_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = found()
    run, records = own.analysis.run, own.analysis.records
    reporting.report(run, records, tmp_path, as_json=False, profiles=own.profiles)
    assert str(tmp_path / "profile.html") in capsys.readouterr().out.splitlines()
    assert '<a href="profile.html">Profile</a>' in (tmp_path / "report.html").read_text()
    assert (tmp_path / "flame_other.png").exists()
    reporting.report(run, records, tmp_path / "plain", as_json=True)
    assert 'href="profile.html"' not in (tmp_path / "plain" / "report.html").read_text()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two implementations, the first at two lengths."""
    own = found(profile(), profile(problem=LONGER, scale=4), profile("base"))
    made = profiling.write(own, tmp_path_factory.mktemp("profile"), quiet=True)
    assert made is not None
    return made.page


PAPER = {"light": "#ffffff", "dark": "#14171c"}
"""The background of a chart by the colour scheme of the screen."""
CHART = "document.querySelector('[data-family=flame_other]')"
PAPER_OF_CHART = f"{CHART}.layout?.paper_bgcolor"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_works_in_a_browser_without_a_network(width: int, written: Path) -> None:
    with opened(written, viewport={"width": width, "height": 900}) as seen:
        for scheme, paper in PAPER.items():
            seen.view.emulate_media(color_scheme=scheme)
            until(seen.view, f"({DRAW_ALL}, {PAPER_OF_CHART} == '{paper}')")
            across = seen.view.evaluate("document.documentElement.scrollWidth")
            blocks = seen.view.evaluate(f"{CHART}.data[0].labels")
            assert across <= width
            assert blocks[:3] == ["call", "other.py:7 other", "matmul"]
        assert seen.complaints == []
        assert [each for each in seen.requests if not each.startswith(("file:", "data:"))] == []


@pytest.mark.browser
def test_axe_finds_nothing(written: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    counted = {"critical", "serious", "moderate"}
    with opened(written, viewport={"width": 390, "height": 844}) as seen:
        for scheme, paper in PAPER.items():
            seen.view.emulate_media(color_scheme=scheme)
            until(seen.view, f"({DRAW_ALL}, {PAPER_OF_CHART} == '{paper}')")
            violations = Axe().run(seen.view).response["violations"]
            assert [each for each in violations if each["impact"] in counted] == []


@pytest.mark.browser
def test_a_click_on_a_block_shows_it_alone_and_the_path_leads_back(written: Path) -> None:
    with opened(written, viewport={"width": 1400, "height": 900}) as seen:
        draw_all(seen)
        level = "document.querySelector('[data-family=flame_other]').data[0].level"
        block = seen.view.locator("[data-family=flame_other] .slice", has_text="other.py:7")
        block.first.click()
        until(seen.view, f"{level} === '1'")
        path = seen.view.locator("[data-family=flame_other] .pathbar", has_text="call")
        path.first.click()
        until(seen.view, f"{level} !== '1'")
        assert seen.complaints == []
