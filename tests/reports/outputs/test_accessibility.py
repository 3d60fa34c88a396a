"""axe-core on the page: no finding, light and dark, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.outputs.html.saving import NAME
from tests.reports.browser import draw_all, opened
from tests.reports.section_by_hand import by_hand
from tests.saved_run import small_run

pytestmark = pytest.mark.browser

PROBLEMS = [
    Problem.parse(f"h8 t{length} {mask}")
    for mask in ("full", "window:128")
    for length in (128, 256)
]
COUNTED = {"critical", "serious", "moderate"}
OPEN_ALL = (
    "document.querySelectorAll('details').forEach((each) => { each.open = true; });"
    "document.querySelectorAll('.unfold').forEach((each) => { each.checked = true; });"
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("accessible") / NAME
    run = small_run(problems=PROBLEMS)
    made.write_text(page(Analysis(*run), further=[by_hand()]), "utf-8")
    return made


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(path: Path, width: int, scheme: Literal["light", "dark"]) -> None:
    with opened(path, viewport={"width": width, "height": 900}, color_scheme=scheme) as found:
        from axe_playwright_python.sync_playwright import Axe

        draw_all(found)
        found.view.evaluate(OPEN_ALL)
        violations = Axe().run(found.view).response["violations"]
    told = [
        (each["id"], each["nodes"][0]["html"]) for each in violations if each["impact"] in COUNTED
    ]
    assert told == []


def test_axe_finds_a_fault(path: Path) -> None:
    """A chart's button without a name is found, so a page without findings was examined."""
    with opened(path, viewport={"width": 1400, "height": 900}) as found:
        from axe_playwright_python.sync_playwright import Axe

        found.view.evaluate("document.querySelector('[data-download]').textContent = ''")
        violations = Axe().run(found.view).response["violations"]
    assert [each["id"] for each in violations if each["impact"] in COUNTED] == ["button-name"]
