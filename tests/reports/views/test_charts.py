"""Chart descriptions: what is drawn is what was stored, and never what may not be compared."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import get_args

import pytest

from impls.interface import Limits, Problem
from impls.interface.limits import EVERY_MASK
from reports.analysis.efficiency import MOST_PROBLEMS
from reports.analysis.run_analysis import Analysis
from reports.rows.families import AXES
from reports.views import families
from reports.views.charts.chart import Chart
from reports.views.charts.efficiency import KEY, TIME_KEY
from reports.views.charts.palette import LIGHT, MARKERS, looks
from reports.views.charts.sizes import charts
from reports.views.parts.roofline import ceiling_line
from suites.records.plan import Entry
from suites.stats.ceilings import Ceiling, Kind, Residency
from tests.saved_run import LENGTHS, peak_bytes, small_run, times

ANY = (Limits(),)
LAYERS = {"multi_head", "torch_multi_head"}


def chart(found: list[Chart], key: str, label: str) -> Chart:
    return next(each for each in found if (each.key, each.label) == (key, label))


def names(drawn: Chart) -> set[str]:
    return {series.name for series in drawn.series}


def test_a_chart_holds_the_stored_medians() -> None:
    drawn = chart(charts(Analysis(*small_run())), "time_vs_length", "full mask")
    (series,) = [each for each in drawn.series if each.name == "chunked"]
    problems = [Problem.parse(f"h8 t{length}") for length in LENGTHS]
    medians = [[median(times(p, "chunked", s)[:4]) for s in (1, 2, 3)] for p in problems]
    assert series.x == LENGTHS
    assert series.y == tuple(median(each) for each in medians)
    assert series.low == tuple(min(each) for each in medians)
    assert series.high == tuple(max(each) for each in medians)


def test_a_memory_chart_holds_the_stored_bytes_as_mib() -> None:
    drawn = chart(charts(Analysis(*small_run())), "memory_vs_heads", "window:128 mask")
    (series,) = [each for each in drawn.series if each.name == "naive"]
    assert series.x == (1, 2, 4, 8, 16)
    problems = [Problem.parse(f"h{heads} t1024 window:128") for heads in (1, 2, 4, 8, 16)]
    assert series.y == tuple(peak_bytes(p, "naive") / 2**20 for p in problems)
    assert series.low == ()
    assert drawn.y_title == "MiB above the inputs"


def test_layers_never_share_a_chart_with_attention() -> None:
    for drawn in charts(Analysis(*small_run())):
        assert names(drawn) <= LAYERS if drawn.panel == "layers" else not names(drawn) & LAYERS
        assert drawn.key.startswith("layers_") is (drawn.panel == "layers")


def test_a_wrong_implementation_is_never_drawn_and_the_chart_says_so() -> None:
    for drawn in charts(Analysis(*small_run())):
        assert "off_by_one" not in names(drawn)
        assert drawn.panel == "layers" or "off_by_one (wrong)" in drawn.note


def test_a_chart_names_the_sizes_where_a_line_ends() -> None:
    drawn = chart(charts(Analysis(*small_run())), "time_vs_length", "full mask")
    assert "sdpa_math (out of memory at 2048)" in drawn.note
    assert "local_window (refused)" in drawn.note
    assert "xformers (refused)" in drawn.note


def test_why_a_line_ends_is_said_with_the_size_from_which_on() -> None:
    found = charts(Analysis(*small_run()))
    assert chart(found, "time_vs_length", "full mask").ends == (
        "sdpa_math: out of memory from T = 2048",
    )
    run, records = small_run()
    short = [r for r in records if r.problem.key_length < 1024 or not r.session]
    ends = chart(charts(Analysis(run, short)), "time_vs_length", "full mask").ends
    assert ends == ("all: not reached from T = 1024",)


def test_a_chart_has_an_alternative_text() -> None:
    drawn = chart(charts(Analysis(*small_run())), "time_vs_length", "full mask")
    assert drawn.alt.startswith("Time against sequence length, in ms; full mask, forward, 8 heads")
    assert "sdpa_flash from 0.0289 at 128 to 4.09 at 2048" in drawn.alt


def test_with_several_numbers_of_threads_charts_show_the_most_and_say_so() -> None:
    drawn = chart(charts(Analysis(*small_run(threads=(1, 2)))), "time_vs_length", "full mask")
    (series,) = [each for each in drawn.series if each.name == "chunked"]
    problem = Problem.parse(f"b1 h8 t{LENGTHS[0]} d64 full fp32 cpu")
    assert series.y[0] == median(median(times(problem, "chunked", s)[:4]) for s in (2, 4, 6))
    assert drawn.common.endswith("cpu, 2 threads")


def test_an_implementation_without_a_time_with_the_most_threads_is_not_drawn() -> None:
    run, records = small_run(threads=(1, 2))
    short = [r for r in records if r.implementation != "naive" or r.session in {0, 1, 3, 5}]
    drawn = chart(charts(Analysis(run, short)), "time_vs_length", "full mask")
    assert "naive" not in names(drawn)
    assert "naive (not reached)" in drawn.note


def test_parallel_efficiency_is_drawn_for_the_longest_of_each_kind() -> None:
    found = charts(Analysis(*small_run(threads=(1, 2))))
    drawn = [each for each in found if each.key == KEY]
    assert [each.label for each in drawn][:2] == ["h8 t2048 full", "h1 t1024 full"]
    (series,) = [each for each in drawn[0].series if each.name == "chunked"]
    problem = Problem.parse(f"b1 h8 t{LENGTHS[-1]} d64 full fp32 cpu")
    one, two = (
        median(median(times(problem, "chunked", s)[:4]) for s in own)
        for own in ((1, 3, 5), (2, 4, 6))
    )
    assert (series.x, series.y) == ((1, 2), (1.0, one / (two * 2)))
    assert not drawn[0].log_x
    assert not drawn[0].log_y
    assert drawn[0].note.startswith("1 means that n times the threads take an nth of the time")
    assert {each.panel for each in found if each.key == f"layers_{KEY}"} == {"layers"}


def test_times_are_drawn_over_threads_beside_the_efficiency() -> None:
    found = charts(Analysis(*small_run(threads=(1, 2))))
    times_of, efficiencies = ([e for e in found if e.key == key] for key in (TIME_KEY, KEY))
    assert [each.label for each in times_of] == [each.label for each in efficiencies]
    for line, efficiency in zip(times_of[0].series, efficiencies[0].series, strict=True):
        assert line.x == efficiency.x == (1, 2)
        first, last = line.y
        assert efficiency.y == pytest.approx((1.0, first / (2 * last)))
        assert all(
            low <= y <= high for low, y, high in zip(line.low, line.y, line.high, strict=True)
        )


def test_parallel_efficiency_takes_two_numbers_of_threads() -> None:
    assert not [each for each in charts(Analysis(*small_run())) if KEY in each.key]
    run, records = small_run(threads=(1, 2))
    one = [r for r in records if r.session in {0, 1, 3, 5}]
    assert not [each for each in charts(Analysis(run, one)) if KEY in each.key]


def test_only_so_many_problems_get_a_chart_of_efficiency() -> None:
    problems = [f"b{batch} h1 t16 d64 full fp32 cpu" for batch in range(1, MOST_PROBLEMS + 3)]
    found = charts(Analysis(*small_run(problems=problems, threads=(1, 2))))
    assert sum(each.key == KEY for each in found) == MOST_PROBLEMS


def test_settings_that_are_not_default_are_in_the_common_words() -> None:
    run, records = small_run()
    run = replace(run, plan=replace(run.plan, cache="cold", allocator="retain"))
    assert all(
        each.common.endswith("cache cold, allocator retain")
        for each in charts(Analysis(run, records))
    )


def test_a_size_alone_makes_no_chart() -> None:
    assert charts(Analysis(*small_run(problems=["b1 h8 t128 d64 full fp32 cpu"]))) == []


def test_problems_that_differ_in_more_than_one_size_share_no_chart() -> None:
    problems = ["b1 h8 t128 d64 full fp32 cpu", "b1 h4 t256 d64 full fp32 cpu"]
    assert charts(Analysis(*small_run(problems=problems))) == []


def test_decoding_is_drawn_over_its_keys() -> None:
    problems = [f"b1 h8 t1/{keys} d64 full fp32 cpu" for keys in (128, 256)]
    drawn = charts(Analysis(*small_run(problems=problems)))[0]
    assert "1 query row" in drawn.common
    assert drawn.series[0].x == (128, 256)


def test_grouped_heads_are_drawn_over_either_kind_of_growth() -> None:
    heads = ("2/2", "4/2", "8/4")
    run, records = small_run(problems=[f"b1 h{pair} t128 d64 full fp32 cpu" for pair in heads])
    found = [each for each in charts(Analysis(run, records)) if each.key == "time_vs_heads"]
    assert [each.series[0].x for each in found] == [(2, 4), (4, 8)]
    assert "over 2 key heads" in found[0].label
    assert "2 query heads for each key head" in found[1].label


def test_several_devices_also_share_a_chart() -> None:
    sizes = [f"b1 h8 t{length} d64 full bf16" for length in (128, 256)]
    run, records = small_run(problems=[f"{size} {d}" for size in sizes for d in ("cpu", "cuda")])
    found = charts(Analysis(run, records))
    apart = [each.label for each in found if each.key == "time_vs_length"]
    assert apart == ["cpu", "cuda"]
    (together,) = [each for each in found if each.key == "time_vs_length_by_device"]
    assert {"naive (cpu)", "naive (cuda)", "xformers (cuda)"} <= names(together)
    lines = {s.look.line for s in together.series if s.name.startswith("naive")}
    assert len(lines) == 2


def test_a_zero_is_drawn_on_a_plain_axis() -> None:
    run, records = small_run()
    zero = [replace(r, peak_bytes=0) if r.peak_bytes else r for r in records]
    drawn = [each for each in charts(Analysis(run, zero)) if each.key == "memory_vs_length"]
    assert drawn
    assert not any(each.log_y for each in drawn)


def test_what_has_a_time_and_no_memory_is_named_on_the_memory_chart() -> None:
    run, records = small_run()
    bare = [replace(r, peak_bytes=None) if r.implementation == "naive" else r for r in records]
    drawn = chart(charts(Analysis(run, bare)), "memory_vs_length", "full mask")
    assert "naive" not in names(drawn)
    assert "naive (not recorded)" in drawn.note


def test_one_session_shows_no_spread() -> None:
    for drawn in charts(Analysis(*small_run(sessions=1))):
        assert all(series.low == series.high == () for series in drawn.series)


def test_a_name_has_the_same_look_in_every_run() -> None:
    given = ["b", "a", "c"]
    assert looks(given) == looks(sorted(given))
    names = [*(f"name{place:02}" for place in range(30)), "a[x=1]", "name00[x=1]"]
    for count in range(1, len(names)):
        assert looks(names).items() >= looks(names[:count]).items()
    assert looks(["naive", "sdpa_flash"])["naive"] == looks(["naive"])["naive"]


def test_eight_names_have_eight_colours_of_the_first_and_markers() -> None:
    for start in range(20):
        found = looks(f"name{start + place}" for place in range(8))
        assert {look.light for look in found.values()} == set(LIGHT[:8])
        assert {look.line for look in found.values()} == {"solid"}
        assert len({look.marker for look in found.values()}) == 8


def test_twelve_names_share_neither_colour_nor_marker() -> None:
    for start in range(20):
        found = looks(f"name{start + place}" for place in range(12))
        assert len({look.light for look in found.values()}) == 12
        assert {look.marker for look in found.values()} == set(MARKERS)


def test_the_first_84_names_look_different() -> None:
    found = looks(f"name{place:03}" for place in range(84))
    assert len({(look.light, look.marker) for look in found.values()}) == 84


def test_each_ceiling_has_its_own_look() -> None:
    every = [
        Ceiling(kind=kind, residency=where, value=1e9, device="cpu")
        for kind in get_args(Kind)
        for where in get_args(Residency)
    ]
    found = {ceiling_line("", (1, 2), (1, 2), each).look for each in every}
    assert len(found) == len(every)


def test_what_a_chart_is_filtered_by_is_that_of_its_problems() -> None:
    found = charts(Analysis(*small_run()))
    over_lengths = chart(found, "time_vs_length", "full mask")
    assert over_lengths.facets["heads"] == "8"
    assert all(series.implementation == series.name for series in over_lengths.series)
    assert all(series.facets == () for series in over_lengths.series)
    over_heads = chart(found, "time_vs_heads", "full mask")
    assert "heads" not in over_heads.facets
    assert [dict(each) for each in over_heads.series[0].facets][:2] == [
        {"heads": "1"},
        {"heads": "2"},
    ]


def axis_run(*problems: str) -> list[Chart]:
    made = (Entry(name="naive", limits=(Limits(masks=EVERY_MASK),)),)
    run, records = small_run(problems=problems, made=made)
    return charts(Analysis(run, records))


@pytest.mark.parametrize(
    ("problems", "key", "title", "x_title", "sizes", "common"),
    [
        (
            ("h32/8 t1/1024", "h32/8 t1/4096"),
            "time_vs_keys",
            "Time against number of keys",
            "keys",
            (1024, 4096),
            "1 query row",
        ),
        (
            ("h16 t512 causal", "h16/4 t512 causal", "h16/1 t512 causal"),
            "time_vs_group",
            "Time against query heads for each key head",
            "query heads for each key head",
            (1, 4, 16),
            "16 query heads",
        ),
        (
            ("t1024 causal", "t1024 window:64", "t1024 window:256"),
            "time_vs_reach",
            "Time against reach of the window",
            "reach of the window (keys)",
            (64, 256, 1024),
            "length 1024",
        ),
        (
            ("b1 t256", "b4 t256", "b16 t256"),
            "time_vs_batch",
            "Time against batch size",
            "batch",
            (1, 4, 16),
            "length 256",
        ),
    ],
)
def test_each_axis_has_a_chart_of_the_problems_that_differ_in_it_alone(
    problems: tuple[str, ...],
    key: str,
    title: str,
    x_title: str,
    sizes: tuple[int, ...],
    common: str,
) -> None:
    found = [each for each in axis_run(*problems) if each.key.startswith("time_vs_")]
    drawn = next(each for each in found if each.key == key)
    assert {each.key for each in found} <= {key, "time_vs_heads"}
    assert (drawn.title, drawn.x_title) == (title, x_title)
    assert drawn.series[0].x == sizes
    assert common in drawn.common


def test_a_chart_over_the_reach_needs_three_sizes_and_one_set_of_other_parts() -> None:
    two = axis_run("t1024 causal", "t1024 window:64")
    padded = axis_run(
        "b2 t512 causal+padding:0.5",
        "b2 t512 window:64+padding:0.5",
        "b2 t512 window:128+padding:0.5",
        "b2 t512 window:256",
        "b2 t512 padding:0.5",
    )
    assert not [each for each in two if each.key == "time_vs_reach"]
    (drawn,) = (each for each in padded if each.key == "time_vs_reach")
    assert drawn.series[0].x == (64, 128, 512)
    assert "causal+padding:0.5 besides" in drawn.common


def test_every_axis_of_charts_has_words() -> None:
    for axis in AXES:
        assert families.axis_title(axis)
        assert families.axis_label(axis)
        assert "8" in families.from_size(axis, 8)
