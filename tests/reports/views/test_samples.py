"""The part with the samples: closed on the page, drawn when opened, without PNG files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.analysis import shown_samples
from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page, write
from reports.outputs.html.saving import NAME
from reports.views.charts.chart import Chart
from reports.views.charts.samples import ROUNDS, STRIPS
from reports.views.parts.samples import section
from tests.reports.browser import draw_all, opened, until
from tests.saved_run import PROBLEMS, small_run, two
from tests.tail_run import tail_run

DRAWN = "[...document.querySelectorAll('#samples .chart')].filter(each => each.data).length"


def charts_of(analysis: Analysis) -> dict[str, list[Chart]]:
    made = section(analysis)
    assert made is not None
    found: dict[str, list[Chart]] = {}
    for chart in made.charts:
        assert isinstance(chart, Chart)
        found.setdefault(chart.key, []).append(chart)
    return found


def test_each_problem_and_panel_has_both_charts_with_the_same_label() -> None:
    found = charts_of(Analysis(*small_run(problems=PROBLEMS[:2])))
    labels = [chart.label for chart in found[STRIPS]]
    assert labels == ["t128", "t128 of layers", "t256", "t256 of layers"]
    assert [chart.label for chart in found[ROUNDS]] == labels
    assert found[STRIPS][0].y_title == "time over that of naive"
    assert found[STRIPS][0].sizes == (1, 2, 3)
    assert found[ROUNDS][0].sizes == (1, 6, 11)


def test_strips_of_a_session_stand_side_by_side() -> None:
    [chart] = charts_of(Analysis(*two(2.0, (1.0, 1.0))))[STRIPS]
    base, other = chart.series
    assert [each.implementation for each in chart.series] == ["base", "other"]
    assert max(base.x[:5]) < min(other.x[:5]) < 1.5 < min(base.x[5:])
    assert list(base.x[:5]) == sorted(base.x[:5])


def test_disturbed_rounds_are_marked_below_the_points_and_counted() -> None:
    [chart] = charts_of(Analysis(*two(2.0, (1.0, 1.0))))[ROUNDS]
    *lines, marks = chart.series
    assert marks.name == "disturbed round"
    assert marks.x == (5, 10)
    assert max(marks.y) < min(y for line in lines for y in line.y)
    assert "mark disturbed rounds, 2 of those shown." in chart.note
    [quiet] = charts_of(Analysis(*tail_run(10)))[ROUNDS]
    assert [each.name for each in quiet.series] == ["base", "other"]
    assert "No round shown was disturbed." in quiet.note


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    every = section(Analysis(*small_run()))
    assert every is not None
    assert every.sentences == (
        "The samples of the 12 largest of 18 problems, every round, disturbed ones included.",
    )
    monkeypatch.setattr(shown_samples, "MOST_POINTS", 100)
    thinned = section(Analysis(*tail_run(100)))
    assert thinned is not None
    [said] = thinned.sentences
    assert said == (
        "The samples of every problem, one round in 4, disturbed ones included; exports have all "
        "of them."
    )


def test_a_run_without_times_has_no_samples() -> None:
    assert section(Analysis(*small_run(sessions=0))) is None


def test_the_samples_have_no_files(tmp_path: Path) -> None:
    report = write(Analysis(*two(2.0)), tmp_path)
    assert not {f"{key}.png" for key in (STRIPS, ROUNDS)} & {path.name for path in report.charts}
    assert STRIPS in report.page.read_text("utf-8")


@pytest.mark.browser
def test_the_samples_are_drawn_when_they_are_opened_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(page(Analysis(*small_run(problems=PROBLEMS[:2]))), "utf-8")
    with opened(path, viewport={"width": 1200, "height": 900}) as found:
        draw_all(found)
        assert found.view.evaluate(DRAWN) == 0
        found.view.click("#samples summary")
        until(found.view, f"{DRAWN} === 2")
        found.view.select_option("#samples select", label="t256")
        chosen = "[...document.querySelectorAll('#samples select')].map(each => each.value)"
        assert found.view.evaluate(chosen) == ["2", "2"]
        assert found.complaints == []
