"""The page, the image and the terminal of a recorded script."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from rich.console import Console

from reports.analysis.call_sites import call_sites
from reports.outputs.export.script_data import of_script
from reports.outputs.html import script_page
from reports.outputs.png import files
from reports.outputs.terminal.script_tables import MOST_ROWS, script_tables
from reports.views.charts.call_sites import bar, icicle
from tests.reports.browser import draw_all, opened, until
from tests.reports.script_by_hand import CALLS, call, dropout, script

WORKLOAD = Path("workload.jsonl")
HOSTILE = "<img src=x onerror=alert(1)>$x$.py:3 f"
ICICLE = "document.querySelector('[data-family=script_icicle]')"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("script")
    several = call("b2 h4 t128 d16 causal fp32 train cpu", took_ms=9.0)
    hostile = call(place=HOSTILE, took_ms=5.0)
    found = call_sites(script(*CALLS, several, hostile, others=(dropout(),)))
    return script_page.write(found, folder, WORKLOAD).page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_drawn_offline_without_a_complaint(
    path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    with opened(path, viewport={"width": width, "height": 900}, color_scheme=scheme) as seen:
        draw_all(seen)
        drawn = seen.view.evaluate(
            "[...document.querySelectorAll('.chart')].map(e => e.data[0].type)"
        )
        assert drawn == ["bar", "icicle"]
        assert seen.view.evaluate("document.documentElement.scrollWidth") == width
        assert seen.view.locator("main h2").all_text_contents() == [
            "Time by line",
            "From a step to the problem",
            "Problems of each line",
            "Next commands",
            "The machine",
            "Print",
            "Terms",
        ]
        assert seen.view.locator("#filters").is_hidden()
        assert (seen.complaints, seen.dialogs, len(seen.requests)) == ([], [], 1)


@pytest.mark.browser
def test_the_icicle_has_the_blocks_and_a_click_shows_one_alone(path: Path) -> None:
    found = call_sites(script(*CALLS))
    folder = path.parent / "plain"
    with opened(script_page.write(found, folder, WORKLOAD).page) as seen:
        draw_all(seen)
        data = seen.view.evaluate(
            f"(({{labels, values, parents}}) => ({{labels, values, parents}}))({ICICLE}.data[0])"
        )
        blocks = icicle(found).blocks
        assert data["labels"] == [block.name for block in blocks]
        assert data["values"] == pytest.approx([block.value for block in blocks])
        seen.view.locator("[data-family=script_icicle] path.surface").nth(1).click()
        until(seen.view, f"{ICICLE}.data[0].level === '1'")
        assert seen.complaints == []


@pytest.mark.browser
def test_the_bar_ends_within_its_axis(path: Path) -> None:
    with opened(path, viewport={"width": 1280, "height": 900}) as seen:
        draw_all(seen)
        low, high = seen.view.evaluate(
            "document.querySelector('[data-family=attention_by_line]').layout.xaxis.range"
        )
    assert low < 0
    assert high > 100.0


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(path: Path, scheme: Literal["light", "dark"]) -> None:
    with opened(path, viewport={"width": 1400, "height": 900}, color_scheme=scheme) as seen:
        from axe_playwright_python.sync_playwright import Axe

        draw_all(seen)
        found = Axe().run(seen.view).response["violations"]
    faults = [each["id"] for each in found if each["impact"] in {"critical", "serious", "moderate"}]
    assert faults == []


@pytest.mark.browser
def test_everything_is_printed(path: Path) -> None:
    with opened(path, viewport={"width": 800, "height": 900}) as seen:
        seen.view.emulate_media(media="print")
        shown = seen.view.locator("main h2").evaluate_all("all => all.map(e => e.offsetHeight > 0)")
    assert shown.count(True) == len(shown) - 1  # all but the button that prints


def test_a_place_is_text_and_no_markup(path: Path) -> None:
    html = path.read_text("utf-8")
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;$x$.py:3 f" in html


def test_the_image_is_the_bar_alone(path: Path) -> None:
    images = list(path.parent.glob("*.png"))
    assert [image.name for image in images] == ["attention_by_line.png"]
    assert files.is_ours(images[0])


def test_the_bar_of_the_image_is_as_long_as_the_step() -> None:
    from reports.outputs.png.figure import figure

    axes = figure([bar(call_sites(script()))]).axes[0]
    ends = [patch.get_path().transformed(patch.get_patch_transform()) for patch in axes.patches]
    assert max(path.get_extents().x1 for path in ends) == pytest.approx(100.0)
    assert axes.get_xlim()[1] > 100.0


def printed(width: int, *calls: Any, **changes: Any) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=False)
    console.print(*script_tables(call_sites(script(*calls, **changes))), sep="\n", crop=False)
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_has_the_share_then_every_line(width: int) -> None:
    text = printed(width, others=(dropout(),))
    assert " ".join(text.split()).startswith(
        "Attention takes at least 36 % of a step of 100 ms, 6 calls from 3 lines."
    )
    for part in ("train.py:20 forward", "20.0 %", "not seen", "outside attention", "64.0 %"):
        assert part in text
    assert max(map(len, text.splitlines())) <= width


def test_a_terminal_counts_the_lines_that_it_leaves_out() -> None:
    calls = [call(place=f"a.py:{line} f", took_ms=1.0) for line in range(MOST_ROWS + 2)]
    text = printed(100, *calls)
    assert text.count("a.py:") == MOST_ROWS + 1  # one in a sentence
    assert "Not shown: 2 more lines; the page has all." in text


def test_the_data_has_every_figure_and_null_for_what_is_not_seen() -> None:
    found = call_sites(script(others=(dropout(),), compiled=("a.py:3 f",)))
    data = json.loads(json.dumps(of_script(found, WORKLOAD)))
    assert (data["unit"], data["unit_ms"], data["steps"]) == ("step", 100.0, 10)
    assert sum(line["share"] for line in data["lines"]) == pytest.approx(data["attention_share"])
    assert data["attention_ms"] + data["outside_ms"] == pytest.approx(data["unit_ms"])
    last = data["lines"][-1]
    assert (last["backward_ms"], last["backward_not_seen"], last["calls_in_all"]) == (
        None,
        True,
        10,
    )
    assert last["problems"][0]["not_expressible"] == "dropout 0.1"
    assert data["lines"][1]["library_line"] == "models/model.py:12 forward"
    assert data["compiled"] == ["a.py:3 f"]
