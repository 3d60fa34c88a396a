"""Known orderings of peers, tested on made-up runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Limits, Problem
from reports.analysis import orderings
from reports.analysis.orderings import ORDERINGS, OrderingRow, State, ordering_rows
from reports.analysis.run_analysis import Analysis
from reports.views.orderings import UNKNOWN, summary, why
from suites.records.kernels import Kernel
from suites.records.plan import Entry
from suites.records.record import CHECK, Record
from suites.records.store import Run
from suites.request.suites import SUITES
from tests.saved_run import MACHINE, small_run

FULL, WINDOW = "h4 t2048 full", "h4 t2048 window:64"
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
ANY = (Limits(),)
HERE = {**MACHINE, "cpu_capability": orderings.ORIGIN.cpu_capability}
OFF = (1.0, 1.002, 0.998)
"""How far the sessions are off, each implementation in another order."""


def run_with(
    factors: Mapping[str, float],
    *problems: str,
    off: tuple[float, ...] = OFF,
    limits: Mapping[str, tuple[Limits, ...]] | None = None,
    kernels: Mapping[str, str] | None = None,
    **machine: Any,
) -> tuple[Run, list[Record]]:
    """A run whose times are those of the baseline, sdpa_flash, times a factor."""
    names = ("sdpa_flash", *factors)
    made = tuple(Entry(name=name, limits=(limits or {}).get(name, ANY)) for name in names)
    run, records = small_run(problems=problems, sessions=len(off), made=made, baseline="sdpa_flash")
    base = {(r.problem, r.session): r for r in records if r.implementation == "sdpa_flash"}
    changed = []
    for record in records:
        name = (kernels or {}).get(record.implementation, "")
        ran = (Kernel(name=name, share=1.0, calls=1),) if name and record.session == CHECK else ()
        own = replace(record, kernels=ran)
        if record.times_ms and record.implementation in factors:
            place = record.session - 1 + names.index(record.implementation)
            factor = factors[record.implementation] * off[place % len(off)]
            times = base[record.problem, record.session].times_ms
            own = replace(own, times_ms=tuple(factor * each for each in times))
        changed.append(own)
    plan = replace(run.plan, suite="peers")
    return replace(run, plan=plan, machine={**HERE, **machine}), changed


def found(*arguments: Any, **others: Any) -> list[OrderingRow]:
    return ordering_rows(Analysis(*run_with(*arguments, **others)))


@pytest.mark.parametrize(
    ("row", "factor", "problem", "state"),
    [
        ("flex", 0.2, WINDOW, "yes"),
        ("flex", 0.7, WINDOW, "no"),
        ("flex", 1.4, WINDOW, "no"),
        ("flex", 0.5, WINDOW, "undecided"),
        ("flex", 1.4, FULL, "yes"),
        ("flex", 0.8, FULL, "no"),
        ("flex", 1.0, FULL, "no"),
        ("onnxruntime", 0.8, FULL, "yes"),
        ("onnxruntime", 1.3, FULL, "no"),
        ("openvino", 0.8, FULL, "yes"),
        ("openvino", 1.0, FULL, "no"),
    ],
)
def test_an_ordering_is_reproduced_where_its_interval_lies_where_it_is_expected(
    row: str, factor: float, problem: str, state: State
) -> None:
    (only,) = found({row: factor}, problem)
    assert only.state == state
    assert only.found is not None
    assert only.found.ratio == pytest.approx(factor, rel=0.01)


def test_a_pair_beside_the_baseline_is_compared_with_each_other() -> None:
    rows = found({"local_attention": 0.6, "local_window": 0.2}, WINDOW)
    assert [(each.state, each.ordering.other) for each in rows] == [("yes", "local_window")]
    assert rows[0].found is not None
    assert rows[0].found.ratio == pytest.approx(3.0, rel=0.01)


def test_equal_times_are_expected_only_with_the_same_kernel() -> None:
    same = {"compiled": FLASH, "sdpa_flash": FLASH}
    assert [r.state for r in found({"compiled": 1.0}, FULL, kernels=same)] == ["yes"]
    assert [r.state for r in found({"compiled": 1.2}, FULL, kernels=same)] == ["no"]
    products = {"compiled": "aten::bmm", "sdpa_flash": "aten::bmm"}
    for other in ({**same, "compiled": "aten::bmm"}, products, {}):
        rows = found({"compiled": 1.0}, FULL, kernels=other)
        assert [r.state for r in rows] == ["does not apply"]


def test_a_wide_interval_is_undecided() -> None:
    rows = found({"onnxruntime": 0.9}, FULL, off=(0.7, 1.0, 1.4))
    assert [each.state for each in rows] == ["undecided"]


def test_a_row_without_a_time_says_why() -> None:
    run, records = run_with({"flex": 0.2}, WINDOW, limits={"flex": (Limits(masks=("full",)),)})
    analysis = Analysis(run, records)
    (row,) = ordering_rows(analysis)
    assert (row.state, row.without) == ("not measured", "flex")
    assert why(analysis, row).startswith("flex refused: ")


def test_an_ordering_takes_both_of_its_implementations_and_a_problem_it_is_known_for() -> None:
    assert not found({"naive": 2.0}, FULL, WINDOW)
    assert not found({"local_attention": 2.0}, WINDOW)
    for words in (f"{FULL} bf16", f"{FULL} train", "h4/2 t2048 full", "h4 t1/2048 full"):
        assert not found({"flex": 2.0}, words)
    assert not found({"flex": 2.0}, "h4 t256 full", "h4 t2048 window:1024", f"{FULL} alibi")


def test_the_suite_peers_has_a_problem_for_every_ordering() -> None:
    problems: tuple[Problem, ...] = SUITES["peers"].problems(("cpu",))
    for each in ORDERINGS:
        assert any(map(each.applies, problems)), each


def test_the_reason_is_what_differs_from_the_earlier_machine_or_not_known() -> None:
    alike = Analysis(*run_with({"onnxruntime": 1.3}, FULL))
    assert [why(alike, row) for row in ordering_rows(alike)] == [UNKNOWN]
    older: dict[str, Any] = {"cpu_capability": "AVX2", "versions": {"torch": "2.11.0+cpu"}}
    other = Analysis(*run_with({"onnxruntime": 1.3}, FULL, **older))
    (said,) = (why(other, row) for row in ordering_rows(other))
    assert said == (
        "torch: 2.11 here, 2.13 in the earlier measurement; "
        "vector instructions: AVX2 here, AVX512 in the earlier measurement"
    )


def test_a_reproduced_ordering_needs_no_reason_and_the_summary_counts_all() -> None:
    analysis = Analysis(*run_with({"flex": 0.2, "onnxruntime": 1.3}, FULL, WINDOW))
    rows = ordering_rows(analysis)
    assert [why(analysis, row) for row in rows if row.state == "yes"] == [""]
    assert summary(rows) == "1 of 3 known orderings reproduced, 2 not reproduced."
