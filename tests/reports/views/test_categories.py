"""Charts by dtype, positions in the scores and padding: a place on the x axis for each value."""

from __future__ import annotations

import pytest

from impls.interface import Limits, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from reports.analysis.run_analysis import Analysis
from reports.views.charts.categories import padded
from reports.views.charts.chart import Chart
from reports.views.charts.sizes import charts, keys
from suites.records.plan import Entry
from tests.saved_run import small_run

RIGHT, LEFT = "padding:0-256/0-512", "padding:256-512/0-512"
BOTH = "padding:0-256/256-512"


def drawn(*problems: str) -> list[Chart]:
    limits = (Limits(masks=EVERY_MASK, biases=EVERY_BIAS),)
    run, records = small_run(problems=problems, made=(Entry(name="naive", limits=limits),))
    analysis = Analysis(run, records)
    found = [each for each in charts(analysis) if "time_by_" in each.key]
    assert {each.key for each in found} <= set(keys(analysis.plan))
    return found


@pytest.mark.parametrize(
    ("problems", "key", "names", "label"),
    [
        (
            ("h8 t256", "h8 t256 bf16", "h8 t256 fp16"),
            "time_by_dtype",
            ("float32", "bfloat16", "float16"),
            "b1 h8 t256 d64 full cpu",
        ),
        (
            ("h8 t256 causal", "h8 t256 causal alibi", "h8 t256 causal relative:32"),
            "time_by_bias",
            ("none", "alibi", "relative:32"),
            "b1 h8 t256 d64 causal fp32 cpu",
        ),
        (
            ("b2 t512 causal", *(f"b2 t512 causal+{mask}" for mask in (RIGHT, LEFT))),
            "time_by_padding",
            ("none", "right", "left"),
            "b2 h8 t512 d64 causal fp32 cpu",
        ),
    ],
)
def test_each_value_has_a_place_and_a_name(
    problems: tuple[str, ...], key: str, names: tuple[str, ...], label: str
) -> None:
    (found,) = drawn(*problems)
    assert (found.key, found.names, found.label) == (key, names, label)
    (line,) = found.series
    assert line.x == (0, 1, 2)
    assert [Problem.parse(text) for text in problems] == [
        Problem.parse(hover.splitlines()[1]) for hover in line.hover
    ]


def test_a_value_without_another_has_no_chart() -> None:
    assert drawn("h8 t256 bf16", "h8 t512 bf16") == []
    assert drawn("h8 t256", "h4 t256 bf16") == []


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("full", "none"),
        (RIGHT, "right"),
        (LEFT, "left"),
        (BOTH, "both"),
        ("padding:0.25", "25 %"),
    ],
)
def test_the_side_of_padding_is_named(mask: str, expected: str) -> None:
    problem = Problem.parse(f"b2 t512 {mask}")
    assert padded(problem.mask, problem.key_length) == expected
