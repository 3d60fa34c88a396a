"""Operators of profiles that are made by hand: shares, rates, and parts of ceilings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.profile.operators import IDLE, Operators, Row
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from suites.records.profile import Profile
from tests.reports.profiled_by_hand import (
    GPU_NODES,
    LINE,
    NODES,
    ON_GPU,
    PROBLEM,
    PRODUCT_FLOPS,
    ceiling,
    node,
    profile,
    profiled,
)


def operators(given: Profile | None = None, found: ProfiledRun | None = None) -> Operators:
    own = given or profile()
    return Operators(own, (found or profiled(own)).analysis)


def named(rows: list[Row], name: str, line: str = "") -> Row:
    (row,) = (each for each in rows if each.name == name and line in ("", each.line))
    return row


@pytest.mark.parametrize("view", ["by_operator", "by_line", "by_category"])
@pytest.mark.parametrize("nodes", [NODES, GPU_NODES], ids=["cpu", "gpu"])
def test_shares_add_up_to_the_call(view: str, nodes: object) -> None:
    rows = getattr(operators(profile(nodes=nodes)), view)
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    assert [row.self_ns for row in rows] == sorted((row.self_ns for row in rows), reverse=True)


def test_an_operator_has_its_calls_from_all_lines() -> None:
    found = operators()
    row = named(found.by_operator, "aten::bmm")
    assert (row.calls, row.self_ns, row.share) == (2, 800_000, 0.8)
    assert row.flops == 2 * PRODUCT_FLOPS
    assert row.shapes.startswith("8x512x64 float32")
    assert named(found.by_line, "aten::bmm", LINE).line == LINE
    assert named(found.by_category, "products").self_ns == 800_000


def test_an_operator_within_itself_counts_once_in_its_total_time() -> None:
    nodes = (
        node(-1, "call", "call", total_ns=100_000),
        node(0, "operator", "aten::arange", 60, total_ns=100_000),
        node(1, "operator", "aten::arange", 40),
    )
    row = named(operators(profile(nodes=nodes)).by_operator, "aten::arange")
    assert (row.self_ns, row.total_ns, row.calls) == (100_000, 100_000, 2)


def test_products_are_beside_the_ceiling_of_products_and_others_beside_the_bandwidth() -> None:
    rows = operators().by_operator
    product, exponential = named(rows, "aten::bmm"), named(rows, "aten::exp_")
    assert product.flops_per_s == pytest.approx(60e9)
    assert product.part == pytest.approx(0.6)
    assert exponential.bytes_per_s == pytest.approx(10e9)
    assert exponential.part == pytest.approx(0.5)
    assert named(rows, "aten::copy_").part == pytest.approx(1.5)
    assert named(rows, "aten::view").part is None


def test_reductions_are_beside_the_bandwidth_of_reads() -> None:
    nodes = (*NODES[:1], node(0, "operator", "aten::sum", 100, bytes=1_250_000))
    row = named(operators(profile(nodes=nodes)).by_operator, "aten::sum")
    assert row.ceiling is not None
    assert row.ceiling.kind == "read"
    assert row.part == pytest.approx(0.5)


def test_a_product_of_another_dtype_has_no_ceiling() -> None:
    half = replace(NODES[4], shapes="8x512x64 bfloat16", parent=0)
    row = named(operators(profile(nodes=(NODES[0], half))).by_operator, "aten::bmm")
    assert row.flops_per_s is not None
    assert row.part is None


def test_ceilings_are_those_of_the_profiled_threads_and_device() -> None:
    own = profile()
    elsewhere = [ceiling("matmul", 1e11, "cuda", "float32")]
    row = named(operators(own, profiled(own, ceilings=elsewhere)).by_operator, "aten::bmm")
    assert row.ceiling is None
    other = named(operators(replace(own, threads=1), profiled(own)).by_operator, "aten::bmm")
    assert other.ceiling is None


def test_work_that_is_not_known_of_all_calls_is_not_known() -> None:
    unknown = replace(NODES[5], flops=None)
    row = named(operators(profile(nodes=(*NODES[:5], unknown))).by_operator, "aten::bmm")
    assert row.flops is None
    assert row.flops_per_s is None


def test_compiled_code_that_computes_everything_has_the_flops_of_the_problem() -> None:
    kernel, other = "graph_0_kernel", "graph_0_cpp_fused_1"
    alone = (
        *NODES[:1],
        node(0, "operator", "compiled graph", 5, total_ns=905_000),
        node(1, "operator", kernel, 900),
    )
    row = named(operators(profile(nodes=alone)).by_operator, kernel)
    assert row.flops == PROBLEM.flops
    assert row.part == pytest.approx(PROBLEM.flops / 900e-6 / 1e11)

    product = node(0, "operator", "aten::bmm", 50, flops=1.0)
    beside = (*alone, product), (*alone, node(1, "operator", other, 800))
    for nodes in beside:
        rows = operators(profile(nodes=nodes)).by_operator
        assert named(rows, kernel).flops is None


def test_time_in_which_no_operator_runs_is_python() -> None:
    nodes = (NODES[0], replace(NODES[5], parent=0))
    row = named(operators(profile(nodes=nodes)).by_operator, "Python")
    assert (row.self_ns, row.total_ns, row.category) == (600_000, 600_000, "Python")


def test_a_function_of_autograd_in_python_is_python() -> None:
    nodes = (*NODES[:1], node(0, "operator", "_Chunked", 10, total_ns=900_000))
    assert named(operators(profile(nodes=nodes)).by_operator, "_Chunked").category == "Python"


def test_on_a_gpu_times_are_of_kernels_and_of_the_idle_device() -> None:
    found = operators(profile(nodes=GPU_NODES, problem=ON_GPU))
    rows = found.by_operator
    assert found.on_device
    assert named(rows, "aten::bmm").self_ns == 600_000
    assert named(rows, "aten::bmm").part == pytest.approx(PRODUCT_FLOPS / 600e-6 / 1e11)
    assert named(rows, "Memset").share == 0.05
    assert named(rows, IDLE).share == 0.25
    assert not any(row.category == "Python" for row in rows)
    assert found.host_ns == 200_000


def test_kernels_that_overlap_share_the_sum_of_their_times() -> None:
    nodes = (
        node(-1, "call", "call", total_ns=100_000),
        node(0, "kernel", "a", 90),
        node(0, "kernel", "b", 90),
    )
    rows = operators(profile(nodes=nodes, problem=ON_GPU)).by_operator
    assert [row.share for row in rows] == [0.5, 0.5]


def test_flops_of_products_are_compared_with_the_problem() -> None:
    assert operators().flops_ratio == pytest.approx(2 * PRODUCT_FLOPS / PROBLEM.flops)
    unknown = replace(NODES[5], flops=None)
    assert operators(profile(nodes=(*NODES[:5], unknown))).flops_ratio is None
    assert operators(profile(nodes=NODES[:3])).flops_ratio is None


def test_an_operator_that_only_calls_an_attention_kernel_is_not_counted_twice() -> None:
    nodes = (
        *NODES[:1],
        node(0, "operator", "aten::_scaled_dot_product_flash_attention"),
        node(1, "operator", "aten::_flash_attention_forward", flops=2.0 * PROBLEM.flops),
        node(2, "kernel", "pytorch_flash::flash_fwd_kernel", 900),
    )
    assert operators(profile(nodes=nodes, problem=ON_GPU)).flops_ratio == pytest.approx(2.0)


def test_the_flops_of_another_function_are_not_known() -> None:
    own = profile()
    found = profiled(own)
    entries = tuple(replace(each, panel="linear") for each in found.analysis.plan.entries)
    run = replace(found.analysis.run, plan=replace(found.analysis.plan, entries=entries))
    other = replace(found, analysis=Analysis(run, found.analysis.records))
    assert operators(own, other).flops_ratio is None


def test_the_time_of_a_call_is_that_of_the_run() -> None:
    own = profile()
    assert operators(own).measured_ms == pytest.approx(2.0)
    assert operators(replace(own, threads=7), profiled(own)).measured_ms == 1.0
