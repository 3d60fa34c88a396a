"""No axis is set by a few outliers, and what is beyond it is marked and counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.views.charts.chart import Chart
from reports.views.charts.clipping import FEWEST, beyond, clipped
from tests.reports.section_by_hand import points

USUAL = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9)


def drawn(y: tuple[float, ...], low: tuple[float, ...] = (), *, log: bool = False) -> Chart:
    """Points at these heights; bars from `low` to a tenth above each point."""
    own = replace(
        points().series[0],
        x=tuple(range(1, len(y) + 1)),
        y=y,
        low=low,
        high=tuple(each * 1.1 for each in y) if low else (),
        hover=tuple(f"point {place}" for place in range(len(y))),
    )
    return replace(points(), series=(own, points().series[1]), log_y=log, note="A note.")


def test_a_chart_without_outliers_is_unchanged() -> None:
    for log in (False, True):
        chart = drawn(USUAL, log=log)
        assert clipped(chart) is chart
        assert beyond(chart, 1e9) == 0


@pytest.mark.parametrize(("far", "log"), [(40.0, False), (-40.0, False), (1e6, True)])
def test_a_point_far_out_is_cut_off_named_in_its_text_and_counted(far: float, log: bool) -> None:  # noqa: FBT001
    found = clipped(drawn((*USUAL, far), log=log))
    assert found.clip is not None
    low, high = found.clip
    assert low == pytest.approx(1.0)
    assert high == pytest.approx(1.9)
    side = "above" if far > 0 else "below"
    assert found.series[0].hover[-1] == f"point 10\n{side} the axis"
    assert found.series[0].hover[0] == "point 0"
    assert found.note == "A note. 1 point lies beyond the axis: an arrow at its edge."
    assert beyond(found, far) == (1 if far > 0 else -1)
    assert found.series[0].y == (*USUAL, far)


def test_more_than_a_few_far_points_set_the_axis() -> None:
    chart = drawn((*USUAL, 40.0, 41.0))
    assert clipped(chart) is chart


def test_of_few_points_none_is_cut_off() -> None:
    chart = drawn((*USUAL[: FEWEST - 2], 1000.0))
    assert clipped(chart) is chart


def test_a_point_within_twice_the_others_is_never_far_out() -> None:
    chart = drawn((*(1.0,) * 10, 1.9), log=True)
    assert clipped(chart) is chart


def test_one_long_bar_does_not_set_the_axis() -> None:
    low = (*(each * 0.95 for each in USUAL[:-1]), -20.0)
    found = clipped(drawn(USUAL, low))
    assert found.clip is not None
    assert found.clip[0] == pytest.approx(1.0 - 0.9 / 2)
    assert found.note == "A note. 1 bar extends beyond the axis."
    assert found.series[0].hover[-1] == "point 9"


def test_bars_that_are_all_long_are_shown() -> None:
    chart = drawn(USUAL, (-20.0,) * 10)
    assert clipped(chart) is chart


def test_a_bar_to_zero_does_not_reach_a_logarithmic_axis() -> None:
    chart = drawn(USUAL, (*(each * 0.95 for each in USUAL[:-1]), 0.0), log=True)
    assert clipped(chart) is chart


def test_lines_of_no_implementation_are_not_counted() -> None:
    chart = drawn(USUAL)
    line = replace(chart.series[1], x=(1, 2), y=(0.0, 900.0), hover=("", ""))
    assert clipped(replace(chart, series=(chart.series[0], line))).clip is None
