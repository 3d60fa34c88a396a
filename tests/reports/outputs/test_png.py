"""Charts as files: slides with all that a reader needs, in every format."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from impls.interface import Limits
from reports.analysis.run_analysis import Analysis
from reports.outputs.png import ends, files, tiles
from reports.outputs.png.figure import figure
from reports.outputs.png.sheet import MOST_ON_ONE, SLIDE
from reports.outputs.png.text import SMALL, letters
from reports.views.charts.chart import MEDIANS, Chart, Map, Series, Tile
from reports.views.charts.efficiency import KEY, TIME_KEY
from reports.views.charts.palette import looks
from reports.views.charts.sizes import charts, keys
from suites.records.plan import Entry
from tests.reports.section_by_hand import LOOKS, points, winners
from tests.saved_run import small_run

ANY = (Limits(),)


@cache
def small_charts() -> list[Chart]:
    """All charts of the small run."""
    return charts(Analysis(*small_run()))


def chart(found: list[Chart], key: str, label: str) -> Chart:
    return next(each for each in found if (each.key, each.label) == (key, label))


def texts(drawn: Any) -> str:
    """All texts of a figure outside of its axes."""
    return "\n".join(each.get_text() for each in drawn.texts)


def legend(drawn: Any) -> list[str]:
    return [each.get_text() for one in drawn.legends for each in one.get_texts()]


def test_each_family_becomes_valid_pngs_of_the_size_of_a_slide(tmp_path: Path) -> None:
    run, records = small_run(threads=(1, 2))
    written = files.draw(charts(Analysis(run, records)), tmp_path)
    firsts = {path.stem for path in written if not path.stem[-1].isdigit()}
    assert firsts == {
        *(
            f"{panel}{quantity}_vs_{axis}"
            for panel in ("", "layers_")
            for quantity in ("time", "memory")
            for axis in ("length", "heads")
        ),
        *(f"{panel}{key}" for panel in ("", "layers_") for key in (TIME_KEY, KEY)),
    }
    assert firsts <= set(keys(run.plan))
    for path in written:
        with Image.open(path) as image:
            image.verify()
            assert image.size == pytest.approx([each * files.DOTS for each in SLIDE], abs=1)


def test_any_name_can_be_drawn(tmp_path: Path) -> None:
    names = ["naive", "_hidden", "$x$", "a" * 120, "<b>&", "1\n2", "% {x}"]
    problems = [f"b1 h8 t{length} d64 full fp32 cpu" for length in (128, 256)]
    run, records = small_run(
        problems=problems, made=tuple(Entry(name=name, limits=ANY) for name in names)
    )
    drawn = charts(Analysis(run, records))
    assert len(files.draw(drawn, tmp_path)) == 2
    made = figure(drawn[:1])
    written = [each.get_text() for each in made.axes[0].texts]
    assert len({*written, *legend(made)}) == len(names)


def test_a_png_draws_points_lines_and_maps(tmp_path: Path) -> None:
    charts_by_hand = points(), winners()
    written = files.draw(charts_by_hand, tmp_path)
    assert [path.name for path in written] == ["points.png", "winners.png"]
    assert all(files.is_ours(path) for path in written)
    some, bare = figure(charts_by_hand[:1]).axes[0].lines
    assert some.get_linestyle() == "None"
    assert bare.get_marker() == ""
    tiles = list(figure(charts_by_hand[1:]).axes[0].patches)
    assert [bool(each.get_hatch()) for each in tiles] == [False, False, True, False]
    assert tiles[0].get_facecolor() == to_rgba(LOOKS["naive"].light)


def test_a_png_holds_what_the_chart_says() -> None:
    drawn = chart(small_charts(), "time_vs_length", "full mask")
    axes = figure([drawn]).axes[0]
    shown = {str(line.get_color()): np.asarray(line.get_ydata()).tolist() for line in axes.lines}
    for series in drawn.series:
        values = [y for y in shown[series.look.light] if y == y]  # noqa: PLR0124 - a gap is no number
        assert values == list(series.y)
        low, high = axes.get_ylim()
        assert low < min(series.low) <= max(series.high) < high


def test_a_png_says_what_the_bars_of_its_charts_are_where_there_are_bars() -> None:
    plain = chart(small_charts(), "time_vs_length", "full mask")
    assert MEDIANS in texts(figure([plain]))
    other = texts(figure([replace(points(), bars="bars: another thing")]))
    assert "bars: another thing" in other
    assert MEDIANS not in other
    without = chart(charts(Analysis(*small_run(sessions=1))), "time_vs_length", "full mask")
    assert "bars" not in texts(figure([without]))


def test_reference_lines_are_last_in_the_legend_in_their_order() -> None:
    own, line = points().series
    nobodys = [replace(line, name=name) for name in ("b ceiling", "a ceiling")]
    long = "a name with more letters than there are at the end of a line"
    others = [replace(own, name=name, implementation=name) for name in ("x", long)]
    drawn = replace(points(), series=(*nobodys, *others))
    assert legend(figure([drawn])) == [long, "x", "b ceiling", "a ceiling"]


def test_several_points_at_one_size_are_all_drawn() -> None:
    own: Series = points().series[0]
    twice = replace(own, x=(128, 128, 512), low=(), high=())
    (shown,) = figure([replace(points(), series=(twice,))]).axes[0].lines
    assert list(np.asarray(shown.get_ydata())) == list(twice.y)


def marks(drawn: Chart, *others: Chart) -> tuple[list[str], list[str]]:
    """The tick labels of the first chart, within its axes."""
    axes = figure([drawn, *others]).axes[0]
    found = []
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        places = [place for place in axis.get_major_locator()() if low <= place <= high]
        found.append(axis.get_major_formatter().format_ticks(places))
    return found[0], found[1]


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.1, ["1", "1.05", "1.1"]),
        (40, ["1", "2", "5", "10", "20"]),
        (20_000, ["1", "10", "100", "1000", "10000"]),
    ],
)
def test_logarithmic_axes_are_marked_with_plain_numbers(factor: int, expected: list[str]) -> None:
    own = replace(points().series[0], x=(1, factor), y=(1.0, factor), low=(), high=())
    drawn = replace(points(), series=(own,))
    on_x, on_y = marks(drawn)
    assert on_x[: len(expected)] == on_y[: len(expected)] == expected


def test_a_short_line_beside_a_long_one_has_the_marks_of_the_long_one() -> None:
    own = replace(points().series[0], low=(), high=())
    short, long = (
        replace(points(), series=(replace(own, y=(1.0, 1.1, high)),)) for high in (1.2, 1200.0)
    )
    assert marks(short, long)[1] == ["1", "10", "100", "1000"]


def test_values_that_differ_by_rounding_alone_stand_on_an_axis_of_some_width() -> None:
    own = replace(points().series[0], y=(4.0, 4.0, 4.000000000000001), low=(), high=())
    low, high = figure([replace(points(), series=(own,))]).axes[0].get_ylim()
    assert low < 3
    assert high > 5


def test_a_chart_reaches_over_the_sizes_it_names() -> None:
    named = replace(points(), ticks=True, log_x=False, sizes=(64.0, 128.0, 256.0, 512.0, 1024.0))
    axes = figure([named]).axes[0]
    assert marks(named)[0] == ["64", "128", "256", "512", "1024"]
    low, high = axes.get_xlim()
    assert low < 64
    assert high > 1024


def test_a_family_of_many_charts_has_further_files_and_says_how_many_it_has() -> None:
    (one,) = files.parts([points()])
    assert one.words == ""
    six = [replace(points(), label=str(place)) for place in range(MOST_ON_ONE)]
    assert [part.words for part in files.parts(six)] == [""]
    found = files.parts([*six, *six[:2]])
    assert [len(part.charts) for part in found] == [6, 2]
    assert [part.words for part in found] == [" (1 of 2)", " (2 of 2)"]
    many = files.parts([points()] * (files.MOST_OF_FAMILY + 1))
    assert sum(len(part.charts) for part in many) == files.MOST_OF_FAMILY
    assert many[0].words == " (1 of 4; the page has 25 charts)"
    assert "Points (1 of 4;" in texts(figure(many[0].charts, part=many[0].words))


def test_the_files_of_a_family_are_numbered(tmp_path: Path) -> None:
    many = [replace(points(), label=str(place)) for place in range(7)]
    written = files.draw(many, tmp_path)
    assert [path.name for path in written] == ["points.png", "points_2.png"]


def test_three_masks_have_a_column_each() -> None:
    masks = [replace(points(), mask=mask) for mask in ("full", "causal", "window") * 2]
    boxes = [axes.get_position() for axes in figure(masks).axes]
    assert len({round(box.x0, 6) for box in boxes}) == 3
    assert len({round(box.y0, 6) for box in boxes}) == 2


def test_many_charts_are_shared_with_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [each for each in small_charts() if each.key in ("time_vs_length", "memory_vs_heads")]
    (tmp_path / "alone").mkdir()
    (tmp_path / "shared").mkdir()
    monkeypatch.setattr(files, "_WORTH_A_PROCESS", len(drawn) + 1)
    alone = files.draw(drawn, tmp_path / "alone")
    monkeypatch.setattr(files, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    shared = files.draw(drawn, tmp_path / "shared")
    assert [path.name for path in shared] == [path.name for path in alone]
    assert [path.read_bytes() for path in shared] == [path.read_bytes() for path in alone]


def test_files_are_shared_out_by_their_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    sizes = (("a", 10), ("b", 30), ("c", 20))
    figures = {Path(name): files.Part([points()] * count) for name, count in sizes}
    own, other = files._shares(figures)
    assert own == [Path("b")]
    assert other == [Path("c"), Path("a")]
    assert files._shares({}) == [[]]
    assert files._shares({Path("a"): files.Part([points()] * 5)}) == [[Path("a")]]


@pytest.mark.parametrize(
    ("most", "shown"), [(6, []), (7, ["chunked", "?"]), (12, ["chunked ?"]), (3, [])]
)
def test_a_name_in_a_tile_breaks_at_its_joints_alone(most: int, shown: list[str]) -> None:
    assert tiles.in_tile("chunked ?", most) == shown


def tile(name: str, x: float = 128, y: float = 1, *, lead: str = "") -> Tile:
    return Tile(x=x, y=y, name=name, undecided=not lead, hover="", lead=lead)


def made_map(*own: Tile) -> Map:
    return replace(winners(), tiles=own, looks=looks(each.name for each in own))


def words(drawn: Any) -> list[str]:
    return [each.get_text() for each in drawn.axes[0].texts]


def test_a_tile_says_its_lead_below_its_name_and_an_undecided_one_a_question_mark() -> None:
    own = made_map(tile("naive", lead="next 1.90x"), tile("sdpa_flash", 256))
    drawn = figure([own])
    assert words(drawn) == ["naive\nnext 1.90x", "sdpa_flash ?"]
    assert legend(drawn) == ["naive", "sdpa_flash"]


def test_a_name_without_room_in_its_tile_is_a_number_and_the_legend_has_it() -> None:
    name = "an_implementation_with_an_unbreakablylongname"
    own = made_map(*(tile(name, 2.0**x, lead="next 2.1x") for x in range(9)), tile("b", 1024))
    drawn = figure([own] * 3)
    assert words(drawn)[0] == "1\nnext\n2.1x"
    assert words(drawn)[-1] == "b ?"
    assert legend(drawn) == [f"1  {name}", "b"]


def test_the_text_of_a_tile_is_as_large_as_every_name_allows() -> None:
    short, long = made_map(tile("b")), made_map(*(tile("implementation", x) for x in range(8)))
    sizes = [each.get_fontsize() for axes in figure([short, long] * 2).axes for each in axes.texts]
    assert len(set(sizes)) == 1
    assert float(sizes[0]) < float(figure([short]).axes[0].texts[0].get_fontsize())


def test_a_line_has_its_name_at_its_end_and_none_in_the_legend() -> None:
    own, line = points().series
    other = replace(own, name="other", implementation="other", y=(2.0, 3.0, 5.0), drawn="line")
    drawn = figure([replace(points(), series=(own, other, line))])
    assert words(drawn) == ["naive", "other"]
    assert legend(drawn) == ["ceiling"]
    written: list[Any] = list(drawn.axes[0].texts)
    assert [each.xy for each in written] == [(512, 4.3), (512, 5.0)]


def test_names_of_lines_that_end_at_one_place_are_shifted_apart_in_their_order() -> None:
    own = points().series[0]
    many = [
        replace(own, name=name, implementation=name, y=(1.0, 2.0, 4.0 + place / 1000))
        for place, name in enumerate("abcde")
    ]
    drawn = figure([replace(points(), series=tuple(many))])
    heights = [each.get_position()[1] for each in drawn.axes[0].texts]
    assert heights == sorted(heights)
    inside = drawn.axes[0].get_position().height * SLIDE[1]
    steps = np.diff(heights) * inside
    assert min(steps) >= SMALL / 72
    assert legend(drawn) == []


@pytest.mark.parametrize("count", [1, 7, 20])
def test_spread_names_keep_their_order_their_distance_and_the_room(count: int) -> None:
    wanted = [0.3 + 0.01 * (place % 3) for place in range(count)]
    found = ends.spread_out(wanted, 0.1, 5.0)
    assert found is not None or count == 20
    for one, other in zip(sorted(found or []), sorted(found or [])[1:], strict=False):
        assert other - one >= 0.1 - 1e-9
    assert all(0 <= each <= 5 for each in found or [])
    assert ends.spread_out(wanted, 0.1, 0.05) is None


def test_a_name_that_would_be_upon_a_point_is_in_the_legend() -> None:
    own = points().series[0]
    short = replace(own, name="short", implementation="short", x=(128,), y=(2.0,), low=(), high=())
    crossing = replace(own, x=(130, 512), y=(2.0, 2.1), low=(), high=(), hover=("", ""))
    drawn = figure([replace(points(), series=(short, crossing))])
    assert words(drawn) == ["naive"]
    assert legend(drawn) == ["short"]


def test_a_figure_says_why_lines_end_and_on_which_machine() -> None:
    why = "naive: out of memory from T = 1024"
    drawn = figure([replace(points(), ends=(why,))], stamp="A CPU, 2026-01-02, attnbench 1")
    assert why in words(drawn)
    assert texts(drawn).splitlines()[-1] == "A CPU, 2026-01-02, attnbench 1"


def test_why_lines_end_takes_a_few_lines_at_most() -> None:
    why = tuple(f"implementation{place}: refused from T = {place}" for place in range(50))
    drawn = figure([replace(points(), ends=why)] * 3)
    (shown,) = [each for each in words(drawn) if each.startswith("implementation0")]
    assert len(shown.splitlines()) == 3
    assert shown.endswith("…")
    inside = drawn.axes[0].get_position().width * SLIDE[0]
    assert max(map(len, shown.splitlines())) <= letters(inside + 1.5, SMALL)


def test_a_point_beyond_the_axis_is_an_arrow_at_its_edge() -> None:
    own = points().series[0]
    far = replace(own, y=(1.0, 2.1, 4e6), low=(), high=())
    drawn = figure([replace(points(), series=(far,), clip=(1.0, 4.0))]).axes[0]
    line, arrow = drawn.lines
    assert list(np.asarray(line.get_ydata())) == [1.0, 2.1, 4.0]
    assert list(np.asarray(arrow.get_ydata())) == [4.0]
    assert arrow.get_marker() == 6  # a caret that points up
    assert drawn.get_ylim()[1] < 10


def test_no_point_lies_on_an_axis() -> None:
    for log in (True, False):
        own = replace(points(), log_y=log, log_x=log)
        for axes in figure([own, replace(own, series=own.series[1:])]).axes:
            (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
            for line in axes.lines:
                for x, y in zip(*map(np.asarray, line.get_data()), strict=True):
                    assert left < x < right
                    assert low < y < high


def test_every_format_is_written_with_the_name_of_the_program_and_the_same_bytes(
    tmp_path: Path,
) -> None:
    written = files.draw([points()], tmp_path, formats=("png", "svg", "pdf"))
    assert [path.name for path in written] == ["points.png", "points.svg", "points.pdf"]
    assert all(map(files.is_ours, written))
    first = [path.read_bytes() for path in written]
    files.draw([points()], tmp_path, formats=("png", "svg", "pdf"))
    assert [path.read_bytes() for path in written] == first
    assert b">naive<" in first[1]  # text stays text
    for other in ("mine.svg", "mine.txt"):
        (tmp_path / other).write_text("<svg/>")
        assert not files.is_ours(tmp_path / other)
