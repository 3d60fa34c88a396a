"""The page of a run over several kinds of machine, in the system's browser and as files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from reports.analysis.machines import kinds
from reports.outputs.html import kinds_page
from reports.outputs.html.kinds_page import page
from reports.views import machine_kinds
from tests.kind_runs import AMD, ARM, GROUP, H200, group, three
from tests.reports.browser import Opened, draw_all, opened

SHARED = ("machines", "fastest-where")
OF_EACH = ("answer", "attention", "verdicts", "agreement", "all", "machine", "repeat")
OPEN_ALL = (
    "document.querySelectorAll('details').forEach((each) => { each.open = true; });"
    "document.querySelectorAll('.unfold').forEach((each) => { each.checked = true; });"
)
DANGLING = """[...document.querySelectorAll('a[href^="#"], [aria-describedby], [aria-labelledby]')]
.flatMap((each) => [each.hash?.slice(1), each.getAttribute('aria-describedby'),
  each.getAttribute('aria-labelledby')]).filter((id) => id && !document.getElementById(id))"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two kinds of machine, with its figures."""
    made = tmp_path_factory.mktemp("kinds") / "report.html"
    made.write_text(page(GROUP, kinds(group())), "utf-8")
    return made


def ids(html: str) -> list[str]:
    return re.findall(r'\sid="([^"]+)"', html)


def test_machines_come_first_then_what_is_fastest_where_then_each_machine() -> None:
    html = page(GROUP, kinds(three()))
    found = ids(html)
    assert len(found) == len(set(found))
    places = [found.index(each) for each in SHARED]
    places += [found.index(f"on-{kind}-part") for kind in (AMD, H200, ARM)]
    assert places == sorted(places)
    for kind in (AMD, H200, ARM):
        assert {f"on-{kind}-{each}" for each in OF_EACH} <= set(found)
    assert found.count("terms") == found.count("print-all") == 1
    assert f"<h1>{machine_kinds.title(kinds(three()))}</h1>" in html


def test_kinds_whose_names_read_alike_have_ids_and_files_of_their_own() -> None:
    (first, own), (second, other) = group()
    renamed = [
        (replace(first, name=f"{GROUP}@a+b"), own),
        (replace(second, name=f"{GROUP}@a.b"), other),
        (replace(first, name=f"{GROUP}@machines"), own),
    ]
    found = ids(page(GROUP, kinds(renamed)))
    assert len(found) == len(set(found))
    assert {"on-a-b-part", "on-a-b-2-part", "on-machines-3-part"} <= set(found)


def test_each_chart_file_has_its_kind_of_machine_in_its_name(tmp_path: Path) -> None:
    made = kinds_page.write(GROUP, kinds(group()), tmp_path, formats=("svg",))
    names = [each.name for each in made.charts]
    assert names
    assert all(name.startswith((f"{AMD}_", f"{H200}_")) for name in names)
    assert {name.partition("_")[2] for name in names if name.startswith(AMD)} == {
        name.partition("_")[2] for name in names if name.startswith(H200)
    } | {"roofline.svg"}
    for each in made.charts:
        text = each.read_text("utf-8")
        assert ("Example H200" in text) == each.name.startswith(H200)
        assert ("AMD EPYC 9004" in text) == each.name.startswith(AMD)
    again = kinds_page.write(GROUP, kinds(group()), tmp_path, formats=("svg",))
    assert sorted(tmp_path.iterdir()) == sorted([*again.charts, again.page])


def settled(found: Opened) -> None:
    draw_all(found)
    found.view.evaluate(OPEN_ALL)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_drawn_without_a_complaint_and_nothing_is_cut(
    path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    with opened(path, viewport={"width": width, "height": 900}, color_scheme=scheme) as found:
        from axe_playwright_python.sync_playwright import Axe

        settled(found)
        assert found.complaints == []
        assert found.requests == [path.as_uri()]
        assert found.view.evaluate("document.documentElement.scrollWidth") <= width
        assert found.view.evaluate(DANGLING) == []
        violations = Axe().run(found.view).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []


@pytest.mark.browser
def test_filters_act_on_the_parts_of_all_machines(path: Path) -> None:
    with opened(path, viewport={"width": 1400, "height": 900}) as found:
        shown = found.view.text_content("#shown")
        assert re.fullmatch(r"24 of 24 measurements, (\d+) of \1 figures shown", shown)
        found.view.evaluate(
            "(() => { const box = [...document.querySelectorAll('[data-facet] label')]"
            ".find((each) => each.textContent.trim() === 'chunked').querySelector('input');"
            " box.checked = false; box.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )
        assert found.view.text_content("#shown").startswith("16 of 24 measurements")
        for kind in (AMD, H200):
            left = f"#on-{kind}-all tbody tr:not([hidden])"
            assert found.view.locator(left).count() == 8


@pytest.mark.browser
def test_the_measurements_of_one_machine_are_downloaded(path: Path) -> None:
    with opened(path, viewport={"width": 1400, "height": 900}) as found:
        with found.view.expect_download() as download:
            found.view.click(f'[data-of="on-{H200}-all"][data-download="csv"]')
        assert download.value.suggested_filename == f"attnbench-{GROUP}-{H200}.csv"
        lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert len(lines) == 1 + 12
    assert all(" cuda" in line for line in lines[1:])


@pytest.mark.browser
def test_on_paper_are_the_machines_and_what_is_fastest_where(path: Path) -> None:
    with opened(path, viewport={"width": 1400, "height": 900}) as found:
        found.view.emulate_media(media="print")
        for shown in ("#machines table", "#fastest-where table"):
            assert found.view.locator(shown).first.is_visible()
        assert not found.view.locator(f"#on-{AMD}-part").is_visible()
        found.view.evaluate("document.getElementById('print-all').checked = true")
        assert found.view.locator(f"#on-{AMD}-part").is_visible()
