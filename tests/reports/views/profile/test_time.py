"""Sentences, tables and the chart of the time of profiles that are made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.profile.operators import Operators
from reports.views.charts.chart import Chart
from reports.views.numbers import percent
from reports.views.profile import operators, page, time
from suites.records.kernels import UNSEEN
from suites.records.profile import Profile
from tests.reports.profiled_by_hand import (
    GPU_NODES,
    LINE,
    NODES,
    ON_GPU,
    PROBLEM,
    PRODUCT_FLOPS,
    node,
    profile,
    profiled,
)

LONGER = replace(PROBLEM, query_length=1024, key_length=1024)


def answer(given: Profile) -> str:
    return time.answer(given, profiled(given).analysis)


def said(*given: Profile, **fields: object) -> str:
    (section,) = time.sections(profiled(*given, **fields))  # type: ignore[arg-type] # ceilings
    return " ".join(section.sentences)


def test_the_answer_names_kinds_with_their_shares_and_parts_of_ceilings() -> None:
    assert answer(profile()) == (
        "chunked: 80 % of the time in bmm at 60 % of the ceiling, 10 % in exp at 50 % of the "
        f"memory bandwidth, 5 % in Python, 3 % in copies. The slowest line is {LINE}: 85 %."
    )


def test_an_operator_stands_for_its_kind_where_it_has_most_of_it() -> None:
    mixed = replace(NODES[5], name="aten::mm", self_ns=300_000)
    assert " of the time in products at " in answer(profile(nodes=(*NODES[:5], mixed, *NODES[6:])))


def test_the_answer_names_code_that_torch_compile_generated() -> None:
    nodes = (*NODES[:1], node(0, "operator", "graph_0_kernel", 950))
    own = profile(nodes=nodes)
    part = percent(PROBLEM.flops / 950e-6 / 1e11)
    assert answer(own).startswith(
        f"chunked: 95 % of the time in torch.compile's graph_0_kernel at {part} of the ceiling"
    )
    assert "Compiled code has the FLOPs of the visible pairs of the problem." in said(own)


def test_products_of_hidden_pairs_are_stated() -> None:
    more = replace(NODES[5], flops=2 * PROBLEM.flops - PRODUCT_FLOPS)
    found = answer(profile(nodes=(*NODES[:5], more, *NODES[6:])))
    assert found.endswith(" Its products have 2.0x the FLOPs of the visible pairs.")


def test_on_a_gpu_the_answer_is_of_device_time() -> None:
    own = profile(nodes=GPU_NODES, problem=ON_GPU)
    assert "60 % of the device time in bmm at 40 % of the ceiling, 25 % in no kernel, " in answer(
        own
    )
    assert "launching takes the host 20 % of the call, and the device is idle for 25 %." in said(
        own
    )


def test_work_outside_torch_is_said_with_what_was_measured_from_outside() -> None:
    own = profile("onnxruntime", unseen=UNSEEN, nodes=NODES[:2], kernels=())
    expected = f"onnxruntime: {UNSEEN}. From outside, a call takes 2.00 ms"
    assert answer(own).startswith(expected)
    (section,) = time.sections(profiled(own))
    assert section.sentences[0].startswith(expected)
    assert not section.tables
    assert not section.charts


def test_the_slow_down_by_the_profiler_is_stated_once() -> None:
    found = said(profile(), profile("naive", profiled_ms=(1.3,)))
    assert found.count("With the profiler a call takes") == 1
    assert "With the profiler a call takes 1.10x (chunked), 1.30x (naive) its time" in found


def test_ceilings_are_listed_and_more_than_all_of_one_is_explained() -> None:
    found = said(profile())
    assert "float32 products 100 GFLOP/s, copying in memory 20.0 GB/s." in found
    assert found.endswith(time.BEYOND)
    slow = replace(NODES[8], bytes=1)
    assert time.BEYOND not in said(profile(nodes=(*NODES[:8], slow, NODES[9])))


def test_a_run_without_ceilings_says_so() -> None:
    found = said(profile(), ceilings=())
    assert "no measured ceilings" in found
    assert " of the ceiling" not in found


def test_unknown_lines_are_explained() -> None:
    reason = "source lines are not known: with lines annotated, its call runs other operators"
    nodes = (NODES[0], replace(NODES[5], parent=0))
    own = profile(nodes=nodes, no_lines=reason)
    assert f"chunked: {reason}." in said(own)
    assert "slowest line" not in answer(own)
    assert operators.by_line([Operators(own, profiled(own).analysis)]).rows[0].cells[1].text == (
        operators.NO_LINE
    )


def test_kernels_that_ran_are_named() -> None:
    found = said(profile(), profile("naive"))
    assert "Kernels that do the work: chunked aten::bmm; naive aten::bmm." in found


def test_each_of_several_problems_has_its_answer_in_the_section() -> None:
    assert "chunked: " not in said(profile())
    found = said(profile(), profile(problem=LONGER))
    assert f"chunked on {PROBLEM}: 80 %" in found
    assert f"chunked on {LONGER}: 80 %" in found


def test_tables_have_a_row_for_each_operator_and_line() -> None:
    (section,) = time.sections(profiled(profile()))
    by_operator, by_line = section.tables
    texts = [[cell.text for cell in row.cells] for row in by_operator.rows]
    assert by_operator.head[:4] == ("implementation", "operator", "kind", "self ms")
    assert texts[0][:7] == ["chunked", "bmm", "products", "0.800", "80 %", "2", "0.800"]
    assert texts[0][7] == "60.0"
    assert texts[0][9] == "60 % of products"
    assert [row.cells[1].text for row in by_line.rows][:2] == [LINE, "impls/mine.py:11 mine"]
    assert len(by_operator.head) == len(by_operator.names) == len(by_operator.rows[0].cells)
    assert len(by_line.head) == len(by_line.names) == len(by_line.rows[0].cells)


def test_small_rows_are_one_row() -> None:
    small = [node(0, "operator", f"aten::view{number}", 1) for number in range(3)]
    own = profile(nodes=(*NODES, *small))
    rows = operators.kept(Operators(own, profiled(own).analysis).by_operator)
    assert rows[-1].name == "4 others, each below 0.5 %"
    assert sum(row.share for row in rows) == pytest.approx(1.0)


def test_the_bars_are_as_long_as_the_measured_times() -> None:
    every = (profile(problem=each) for each in (PROBLEM, LONGER))
    (section,) = time.sections(profiled(*every, ms=3.0))
    (chart,) = section.charts
    assert isinstance(chart, Chart)
    assert chart.rows == ("chunked, t512\n3.00 ms", "chunked, t1024\n3.00 ms")
    lengths = [sum(series.x[bar] for series in chart.series) for bar in (0, 1)]
    assert lengths == pytest.approx([3.0, 3.0])


def test_a_run_without_profiles_has_no_section() -> None:
    failed = profile(nodes=(), plain_ms=(), profiled_ms=(), fault="crashed: SIGSEGV")
    assert time.sections(profiled(failed)) == []


def test_the_page_has_the_answers_among_its_first_sentences() -> None:
    assert answer(profile()) in page.sentences(profiled(profile()))
