from dataclasses import replace

import pytest

from reports.analysis.ranking.frontier import MOST_OF_A_MASK, frontier
from reports.analysis.roofline import read_rates
from reports.analysis.run_analysis import Analysis
from reports.views.grids import read_grid
from reports.views.numbers import three_digits
from reports.views.parts import sections
from reports.views.parts.roofline import roofline_charts, share_tables
from reports.views.parts.tradeoff import tradeoff_charts, tradeoff_tables
from suites.records.record import Record
from tests.reports.analysis.ranking.made import entry, linear, made, problems, square
from tests.saved_run import facts, small_run

LENGTHS = (128, 256, 512, 1024)
TIMES = {"short": square(1e-5), "long": linear(4e-3)}


def test_a_roofline_has_points_and_bare_lines_for_the_ceilings() -> None:
    (chart,) = roofline_charts(made(problems(LENGTHS), TIMES))

    assert (chart.key, chart.ticks, chart.log_x, chart.log_y) == ("roofline", False, True, True)
    points = [each for each in chart.series if each.drawn == "joined"]
    lines = [each for each in chart.series if each.drawn == "bare"]
    assert [each.implementation for each in points] == ["long", "short"]
    problem = problems(LENGTHS)[0]
    place = points[0].x.index(problem.flops / problem.fewest_bytes)
    assert points[0].y[place] == pytest.approx(problem.flops / (4e-3 * 128) / 1e6, rel=0.01)
    assert [each.name for each in lines] == [
        "matmul in cache 100 GFLOP/s",
        "read in memory 20.0 GB/s",
    ]
    level, slope = lines
    assert level.y == (100.0, 100.0)
    assert slope.y[0] == pytest.approx(slope.x[0] * 20)
    assert (slope.x[1], slope.y[1]) == pytest.approx((5, 100))
    assert min(each.x[0] for each in points) >= level.x[0]


def test_a_point_of_a_roofline_is_the_mean_over_heads_and_its_bar_their_range() -> None:
    heads = {4: 1.0, 8: 4.0}
    times = {"short": lambda problem: 1e-3 * problem.key_length * heads[problem.query_heads]}
    (chart,) = roofline_charts(made(problems((128, 256), (4, 8)), times))

    own = chart.series[0]
    assert len(own.x) == 2
    flops = [each.flops for each in problems((128,), (4, 8))]
    rates = [flop / (1e-3 * 128 * own) / 1e6 for flop, own in zip(flops, (1.0, 4.0), strict=True)]
    assert own.y[0] == pytest.approx((rates[0] * rates[1]) ** 0.5, rel=0.01)
    assert (own.low[0], own.high[0]) == pytest.approx((min(rates), max(rates)), rel=0.01)
    assert "4 heads: " in own.hover[0]
    assert "8 heads: " in own.hover[0]
    assert "heads" not in chart.facets
    assert own.facets == ({}, {})


def test_a_roofline_joins_the_lengths_of_one_number_of_heads_without_bars() -> None:
    (chart,) = roofline_charts(made(problems(LENGTHS), TIMES))

    own = chart.series[0]
    assert (own.drawn, own.low, own.high) == ("joined", (), ())
    assert list(own.x) == sorted(own.x)
    assert len(own.x) == len(LENGTHS)
    assert chart.facets["heads"] == "8"


def test_each_kind_of_problem_has_a_roofline_of_its_own() -> None:
    asked = problems(LENGTHS) + problems(LENGTHS, rest="causal")
    found = roofline_charts(made(asked, TIMES))

    assert [each.label for each in found] == [
        "float32 on cpu, full mask",
        "float32 on cpu, causal mask",
    ]
    assert [each.facets["mask"] for each in found] == ["full", "causal"]


def test_a_roofline_takes_the_ceilings_of_its_own_device_and_dtype() -> None:
    charts = roofline_charts(made(problems(LENGTHS) + problems(LENGTHS, rest="full bf16"), TIMES))

    assert [each.label for each in charts] == ["float32 on cpu"]
    assert charts[0].facets["dtype"] == "float32"


def test_a_run_without_ceilings_has_no_limit() -> None:
    whole = made(problems(LENGTHS), TIMES)
    analysis = Analysis(replace(whole.run, facts=()), whole.records)

    assert "limit" not in [each.id for each in sections(analysis)]


def test_shares_are_shown_at_best_and_at_worst_and_as_text_above_the_ceiling() -> None:
    times = {"quick": linear(1e-9), "slow": square(1e-4)}
    (table,) = share_tables(made(problems(LENGTHS), times))

    rows = {row.cells[0].text: row for row in table.rows}
    assert rows["quick"].cells[2].text == "above the measured ceiling"
    assert rows["slow"].cells[2].text.endswith(" %")
    best, worst = rows["slow"].cells[2].order, rows["slow"].cells[4].order
    assert best is not None
    assert worst is not None
    assert best >= worst > 0
    assert rows["slow"].facets["implementation"] == "slow"
    assert all(len(row.cells) == len(table.head) for row in table.rows)


def test_other_functions_have_no_roofline_and_layers_one_of_their_own() -> None:
    entries = (entry("short", "layers"), entry("long", "dense_linear"))
    analysis = made(problems(LENGTHS), TIMES, made=entries)

    assert [each.key for each in roofline_charts(analysis)] == ["layers_roofline"]
    assert [table.caption for table in share_tables(analysis)] == [
        "Share of the attainable: layers"
    ]


def test_times_of_0_ms_are_drawn_nowhere() -> None:
    def still(record: Record) -> Record:
        return replace(record, times_ms=(0.0,) * 5) if record.times_ms else record

    analysis = made(problems(LENGTHS), TIMES, change=still)

    assert roofline_charts(analysis) == []
    assert [each.id for each in sections(analysis)] == ["growth"]


def test_the_frontier_has_rows_that_no_other_dominates() -> None:
    (row,) = made(problems((128,)), {"short": linear(1.0)}).measurements
    rows = [
        replace(row, median_ms=time, peak_bytes=size)
        for time, size in ((1.0, 9), (2.0, 5), (3.0, 5), (2.5, 8), (4.0, 1), (1.0, 9), (1.0, 10))
    ]

    assert frontier(rows) == [True, True, False, False, True, True, False]


def test_a_trade_off_shows_time_against_memory_with_the_frontier_marked() -> None:
    def sized(record: Record) -> Record:
        size = 2**20 * (8 if record.implementation == "quick" else 2)
        return replace(record, peak_bytes=size) if not record.session else record

    times = {"quick": linear(1.0), "small": linear(2.0), "poor": linear(3.0)}
    charts = tradeoff_charts(made(problems(LENGTHS), times, change=sized))

    assert [each.key for each in charts] == ["time_vs_memory"] * MOST_OF_A_MASK
    assert [each.label for each in charts] == ["t1024", "t512"]
    assert [each.name for each in charts[0].series] == [
        "quick",
        "small",
        "poor",
        "frontier",
    ]
    *points, line = charts[0].series
    assert [each.x for each in points] == [(8.0,), (2.0,), (2.0,)]
    assert {each.drawn for each in points} == {"points"}
    assert (line.drawn, line.implementation, line.x) == ("bare", "", (2.0, 8.0))
    assert line.y == (points[1].y[0], points[0].y[0])
    assert [each.hover[0].endswith("on the frontier") for each in points] == [True, True, False]
    assert charts[0].alt.endswith("on the frontier: quick, small.")
    assert charts[0].series[0].y == pytest.approx((1024.0,), rel=0.02)
    assert "relative error 3.0e-07" in charts[0].series[0].hover[0]
    assert "of the bound on errors" in charts[0].series[0].hover[0]
    assert charts[0].facets["heads"] == "8"
    assert not charts[0].ticks


def test_the_table_of_a_trade_off_repeats_its_rows() -> None:
    (table,) = tradeoff_tables(made(problems(LENGTHS), TIMES))

    assert len(table.rows) == 2 * MOST_OF_A_MASK
    assert {row.cells[4].text for row in table.rows} <= {"yes", ""}
    assert all(len(row.cells) == len(table.head) for row in table.rows)
    assert table.rows[0].command == (
        'python run_bench.py run --problem "b1 h8 t1024 d64 full fp32 cpu" '
        f'--impl "{table.rows[0].facets["implementation"]}" --threads 2'
    )


def test_every_mask_has_its_largest() -> None:
    masks = ("full", "causal", "window:128")
    asked = [each for mask in masks for each in problems(LENGTHS, rest=mask)]
    charts = tradeoff_charts(made(asked, TIMES))

    assert [each.mask for each in charts] == [mask for mask in masks for _ in range(2)]
    assert len({(each.key, each.label) for each in charts}) == 6


def test_memory_that_is_not_known_is_not_drawn_and_one_alone_has_no_chart() -> None:
    def unknown(record: Record) -> Record:
        return replace(record, peak_bytes=None) if record.implementation == "long" else record

    analysis = made(problems(LENGTHS), TIMES, change=unknown)

    assert tradeoff_charts(analysis) == []
    assert "tradeoff" not in [each.id for each in sections(analysis)]


def test_no_bytes_at_all_are_no_place_on_a_logarithmic_axis() -> None:
    def none(record: Record) -> Record:
        return replace(record, peak_bytes=0) if not record.session else record

    charts = tradeoff_charts(made(problems(LENGTHS), TIMES, change=none))

    assert [each.log_x for each in charts] == [False, False]


def test_every_chart_of_all_sections_has_its_own_key_and_label() -> None:
    entries = (entry("short"), entry("long"), entry("inner", "layers"), entry("outer", "layers"))
    more = {"inner": linear(9e-3), "outer": square(3e-5)}
    found = sections(made(problems(LENGTHS, (4, 8)), {**TIMES, **more}, made=entries))
    charts = [chart for each in found for chart in each.charts]

    known = ("growth", "crossovers", "limit", "tradeoff")
    assert [each.id for each in found if each.id in known] == list(known)
    assert len({(each.key, each.label) for each in charts}) == len(charts)
    assert any(each.key.startswith("layers_") for each in charts)


def test_the_read_rate_is_the_least_bytes_over_the_time_beside_the_measured_rate() -> None:
    problems = ("h32/8 t1/4096", "h32/8 t512/4096", "h8 t256")
    run, records = small_run(problems=problems)
    analysis = Analysis(replace(run, facts=facts(run.plan)), records)
    grid = read_grid(analysis, panel="attention")
    (row,) = grid.rows
    (measured,) = (
        each
        for each in analysis.measurements
        if each.implementation == "naive" and each.problem == row.problem
    )
    rate = measured.problem.fewest_bytes / measured.median_ms * 1e3
    memory = next(each for each in read_rates(analysis).values()).memory
    cell = row.cells[grid.columns.index("naive")]
    assert cell.text == f"{three_digits(rate / 1e9)} {100 * rate / memory:.0f} %"
    assert grid.unit == f"GB/s and % of {three_digits(memory / 1e9)} from memory"
    assert not grid.marks_least


def test_without_a_read_rate_or_few_queries_there_is_no_grid_of_the_read_rate() -> None:
    run, records = small_run(problems=("h32/8 t1/4096",))
    assert read_grid(Analysis(run, records), panel="attention").is_empty
    run, records = small_run()
    known = Analysis(replace(run, facts=facts(run.plan)), records)
    assert read_grid(known, panel="attention").is_empty
