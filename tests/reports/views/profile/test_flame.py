"""The call tree as an icicle: what its blocks are as wide as, and what is on them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.views.charts.chart import Icicle
from reports.views.charts.palette import look_of_kind
from reports.views.profile import flame
from suites.records.operator_kinds import KINDS
from suites.records.profile import Node, Profile
from tests.reports.profile_by_hand import LONGER, NODES, PROBLEM, found, profile


def of(made: Profile) -> Icicle:
    return flame.icicle(made)


def test_blocks_are_lines_and_operators_with_the_whole_call_above() -> None:
    chart = of(profile())
    assert [(block.name, block.parent) for block in chart.blocks] == [
        ("call", -1),
        ("other.py:7 other", 0),
        ("matmul", 1),
        ("bmm", 2),
        ("Python", 1),
        ("other.py:8 other", 0),
        ("exp_", 5),
        ("2 narrower", 5),
    ]


def test_the_width_of_a_block_is_its_time_with_what_it_calls() -> None:
    chart = of(profile())
    widths = dict(zip((block.name for block in chart.blocks), chart.widths, strict=True))
    assert widths["call"] == pytest.approx(10.0)
    assert widths["other.py:7 other"] == pytest.approx(7.0)
    assert widths["matmul"] == pytest.approx(6.0)
    assert widths["2 narrower"] == pytest.approx(0.006)


def test_a_block_has_its_share_calls_rate_and_shapes() -> None:
    bmm = next(block for block in of(profile()).blocks if block.name == "bmm")
    assert bmm.text == "60 %"
    assert bmm.hover.split("\n") == [
        "aten::bmm",
        "60 % of the call, 6.00 ms",
        "2 calls, 3.00 ms each",
        "1.00 GFLOP/s",
        "of 8x256x64 float32, 8x64x256 float32",
    ]


def test_only_what_spends_time_itself_has_the_colour_of_its_kind() -> None:
    looks = {block.name: block.look for block in of(profile()).blocks}
    assert looks["bmm"] == look_of_kind("products")
    assert looks["exp_"] == look_of_kind("softmax and exponentials")
    assert looks["Python"] == look_of_kind("Python")
    assert looks["matmul"] == looks["call"] == looks["other.py:7 other"] == flame.LINE


def test_the_legend_names_the_kinds_that_occur_in_their_order() -> None:
    names = [name for name, _ in of(profile()).legend]
    assert names == [flame.LINES, "products", "softmax and exponentials", "Python", "other"]
    assert [name for name in names[1:] if name in KINDS] == names[1:]


def test_blocks_that_run_at_once_make_their_parent_as_wide_as_they_are() -> None:
    slow = replace(NODES[6], total_ns=9_000_000, self_ns=9_000_000)
    chart = of(replace(profile(), nodes=(*NODES[:6], slow, *NODES[7:])))
    assert chart.widths[0] == pytest.approx(16.006)
    assert min(block.value for block in chart.blocks) == 0


def test_on_a_gpu_the_width_is_the_time_of_kernels() -> None:
    kernel = Node(
        parent=3, kind="kernel", name="gemm", calls=2, total_ns=8_000_000, self_ns=8_000_000
    )
    chart = of(replace(profile(), nodes=(*NODES, kernel)))
    assert [block.name for block in chart.blocks] == [
        "call",
        "other.py:7 other",
        "matmul",
        "bmm",
        "gemm",
    ]
    assert chart.widths == pytest.approx([10.0, 8.0, 8.0, 8.0, 8.0])
    assert "on the host: 6.00 ms" in chart.blocks[3].hover
    (section,) = flame.sections(found(replace(profile(), nodes=(*NODES, kernel))))
    assert flame.ON_DEVICE in section.sentences


def test_each_implementation_is_a_family_whose_longest_call_comes_first() -> None:
    every = [profile("other", PROBLEM), profile("other", LONGER, scale=4), profile("base", PROBLEM)]
    charts = list(flame.icicles(found(*every)))
    assert [(chart.key, chart.label) for chart in charts] == [
        ("flame_other", "t512"),
        ("flame_other", "t256"),
        ("flame_base", "t256"),
    ]
    assert charts[0].richness > charts[1].richness


def test_a_profile_without_a_call_tree_has_no_icicle() -> None:
    assert flame.sections(found(replace(profile(), nodes=(), fault="crashed: signal 11"))) == []


def test_the_icicle_is_there_in_words() -> None:
    assert of(profile()).alt == ("Call tree of other, 10.0 ms: 60 % bmm, 30 % exp_, 10 % Python")


@pytest.mark.parametrize(
    ("value", "text"), [(1, "100 %"), (0.434, "43 %"), (0.0434, "4.3 %"), (0.00434, "0.43 %")]
)
def test_a_share_has_two_digits(value: float, text: str) -> None:
    assert flame.share(value) == text


def test_each_kind_of_operator_has_a_look_of_its_own() -> None:
    assert len({look_of_kind(kind) for kind in KINDS}) == len(KINDS)
