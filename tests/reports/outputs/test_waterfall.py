"""Waterfalls as data of the page and as images."""

from __future__ import annotations

import pytest
from matplotlib.patches import Rectangle

from reports.outputs.html.chart_data import chart_data
from reports.outputs.html.filters import Filters
from reports.outputs.png.figure import figure
from reports.views.charts.chart import SPANS, Chart
from reports.views.charts.waterfall import Step, Words, waterfall
from tests.saved_run import small_run

STEPS = (
    Step("yours\n2 ms", 2.0, "yours", is_value=True),
    Step("exp\n+3 ms", 3.0, "exp"),
    Step("copy\n-1 ms", -1.0, "copy"),
    Step("not explained\n+0.5 ms", 0.5, "rest", is_unexplained=True),
    Step("mine\n4.5 ms", 4.5, "mine", is_value=True),
)
ENDS = ((0.0, 2.0), (2.0, 5.0), (4.0, 5.0), (4.0, 4.5), (0.0, 4.5))
"""The ends of the bar of each step."""


def chart() -> Chart:
    names = {
        "value": "measured",
        "more": "mine takes more",
        "less": "mine takes less",
        "unexplained": "not explained",
    }
    words = Words(
        key="waterfall", title="Time", label="", x_title="ms", note="", bars="bars", alt="",
        names=names,  # type: ignore[arg-type] # kinds
    )  # fmt: skip
    return waterfall(STEPS, words, "attention")


def test_each_bar_starts_where_the_one_before_it_ends() -> None:
    found = {
        int(y): (low, high)
        for series in chart().series
        for y, low, high in zip(series.y, series.low, series.high, strict=True)
    }
    assert tuple(found[place] for place in range(len(STEPS))) == ENDS


def test_the_colour_says_what_a_bar_is() -> None:
    kinds = {series.name: [int(y) for y in series.y] for series in chart().series}
    assert kinds == {
        "measured": [0, 4],
        "mine takes more": [1],
        "mine takes less": [2],
        "not explained": [3],
    }
    assert len({series.look.light for series in chart().series}) == 4


def test_the_page_has_both_ends_of_each_bar() -> None:
    run, _ = small_run()
    made = chart_data([chart()], Filters([run.plan]))
    (family,) = made["families"]["waterfall"]
    assert {each["drawn"] for each in family["series"]} == {SPANS}
    more = next(each for each in family["series"] if each["name"] == "mine takes more")
    assert (more["low"], more["high"]) == ([2.0], [5.0])


def test_the_image_has_the_same_bars_and_a_legend() -> None:
    made = figure([chart()])
    (axes,) = made.axes
    bars = [each for each in axes.patches if isinstance(each, Rectangle)]
    found = {
        round(each.get_y() + each.get_height() / 2): (
            each.get_x(),
            each.get_x() + each.get_width(),
        )
        for each in bars
    }
    for place, ends in enumerate(ENDS):
        assert found[place] == pytest.approx(ends)
    left, right = axes.get_xlim()
    assert left < 0
    assert right > 5
    (legend,) = made.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        series.name for series in chart().series
    }
