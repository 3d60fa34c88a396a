"""Charts of one problem: every implementation beside the fastest, with its interval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.analysis.ranking.ranking import rankings
from reports.outputs.html.chart_data import chart_data
from reports.outputs.html.filters import Filters
from reports.outputs.png import files
from reports.outputs.png.figure import figure
from reports.rows.panels import LAYERS
from reports.views.charts.ranking import MOST_PROBLEMS, MOST_ROWS, rankings_charts
from reports.views.numbers import milliseconds
from suites.records.record import Record
from tests.reports.analysis.ranking.made import entry, linear, made, problems

ONE = problems((512,))
TIMES = {"slow": linear(6.0), "quick": linear(1.0), "middle": linear(1.5)}


def test_the_implementations_of_a_problem_stand_from_the_fastest_to_the_slowest() -> None:
    analysis = made(ONE, TIMES)
    (chart,) = rankings_charts(analysis)
    assert (chart.key, chart.panel, chart.label) == ("ranking", "attention", "")
    assert chart.common == str(ONE[0])
    assert chart.x_title == "times the time of quick"
    assert [row.split("\n")[0] for row in chart.rows] == ["quick", "middle", "slow"]
    points = [each for each in chart.series if each.drawn == "points"]
    assert [each.name for each in points] == ["quick", "middle", "slow"]
    assert [each.y for each in points] == [(0,), (1,), (2,)]
    assert [each.x[0] for each in points] == pytest.approx([1, 1.5, 6], rel=0.01)


def test_a_point_has_the_ratio_and_interval_of_the_ranking() -> None:
    analysis = made(ONE, TIMES)
    (found,) = rankings(analysis).values()
    (chart,) = rankings_charts(analysis)
    points = {each.name: each for each in chart.series}
    assert points["quick"].low == points["quick"].high == ()
    for rival in found.rivals:
        assert rival.interval is not None
        own = points[rival.name]
        assert own.x == (rival.ratio,)
        assert (own.low, own.high) == ((rival.interval.low,), (rival.interval.high,))
    assert chart.rows[1].startswith("middle\n1.50x [1.4")
    assert chart.rows[0] == f"quick\nthe fastest, {milliseconds(found.median_ms)} ms"


def test_rows_are_in_the_order_of_the_ratios_drawn() -> None:
    """Medians over sessions may have another order than ratios paired within sessions."""
    analysis = made(ONE, {"quick": linear(1.0), "one": linear(1.5), "other": linear(1.5)})
    ((place, found),) = rankings(analysis).items()
    one, other = found.rivals
    swapped = replace(found, rivals=(replace(one, ratio=1.7), replace(other, ratio=1.6)))
    (chart,) = rankings_charts(analysis, {place: swapped})
    assert [each.name for each in chart.series[1:]] == ["quick", other.name, one.name]


def test_the_axis_is_logarithmic_where_the_ratios_are_far_apart() -> None:
    assert rankings_charts(made(ONE, TIMES))[0].log_x
    near = {name: TIMES[name] for name in ("quick", "middle")}
    assert not rankings_charts(made(ONE, near))[0].log_x


def test_several_problems_have_a_chart_each_and_many_have_none() -> None:
    lengths = [128 * 2**step for step in range(MOST_PROBLEMS + 1)]
    found = rankings_charts(made(problems(lengths[:MOST_PROBLEMS]), TIMES))
    assert [each.label for each in found] == ["t128", "t256", "t512"]
    assert rankings_charts(made(problems(lengths), TIMES)) == []


def test_one_implementation_alone_has_no_ranking_and_layers_have_their_own() -> None:
    assert rankings_charts(made(ONE, {"quick": linear(1.0)})) == []
    entries = (*map(entry, TIMES), entry("inner", LAYERS), entry("outer", LAYERS))
    more = {"inner": linear(2.0), "outer": linear(3.0)}
    found = rankings_charts(made(ONE, {**TIMES, **more}, made=entries))
    assert [each.key for each in found] == ["ranking", "layers_ranking"]
    assert [each.panel for each in found] == ["attention", LAYERS]


def test_one_session_has_points_without_intervals_and_the_note_says_so() -> None:
    (chart,) = rankings_charts(made(ONE, TIMES, sessions=1))
    assert all(each.low == () for each in chart.series)
    assert chart.rows[1].startswith("middle\n1.5")
    assert "With one session there is no interval." in chart.note


def test_what_was_measured_in_other_sessions_has_a_point_without_an_interval() -> None:
    def alone(record: Record) -> Record | None:
        others = (1, 2) if record.implementation == "middle" else (3, 4)
        return record if record.session in (0, *others) else None

    (chart,) = rankings_charts(made(ONE, TIMES, change=alone))
    (own,) = [each for each in chart.series if each.name == "middle"]
    assert own.x[0] == pytest.approx(1.5, rel=0.02)
    assert own.low == ()
    assert "middle\nin other sessions" in chart.rows[1]
    assert "Ratios of medians, measured in other sessions: middle." in chart.note


def test_slower_ones_beyond_the_most_rows_are_counted() -> None:
    many = {f"n{place:02}": linear(1.0 + place) for place in range(MOST_ROWS + 2)}
    (chart,) = rankings_charts(made(ONE, many))
    assert len(chart.rows) == MOST_ROWS
    assert chart.note.endswith("2 slower ones not drawn.")


def test_several_numbers_of_threads_show_the_times_with_the_most() -> None:
    (chart,) = rankings_charts(made(ONE, TIMES, threads=(1, 2)))
    assert chart.common.endswith("2 threads")


def test_the_page_and_the_png_have_a_row_for_each_text(tmp_path: Path) -> None:
    analysis = made(ONE, TIMES)
    drawn = rankings_charts(analysis)
    (own,) = chart_data(drawn, Filters([analysis.plan]))["families"]["ranking"]
    assert [row.split("<br>")[0] for row in own["rows"]] == ["quick", "middle", "slow"]
    (path,) = files.draw(drawn, tmp_path)
    assert path.name == "ranking.png"
    axes = figure(drawn).axes[0]
    shown = [tick.get_text() for tick in axes.get_yticklabels()]
    assert shown == list(drawn[0].rows)
    assert axes.get_ylim() == (2.5, -0.5)


def test_the_chart_in_words_names_the_fastest_and_each_ratio() -> None:
    (chart,) = rankings_charts(made(ONE, TIMES))
    assert f"{ONE[0]}: quick is the fastest; middle 1.50x [1." in chart.alt


def test_an_implementation_not_reached_is_in_the_note() -> None:
    def change(record: Record) -> Record | None:
        return None if record.implementation == "slow" and record.session else record

    (chart,) = rankings_charts(made(ONE, TIMES, change=change))
    assert "Not reached, may be faster: slow." in chart.note
    assert replace(chart, note="").rows == chart.rows[:2]
