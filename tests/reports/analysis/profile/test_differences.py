"""Differences of two profiles: what is matched, what is not explained, and exact memory."""

from __future__ import annotations

import pytest

from reports.analysis.profile.differences import (
    Amount,
    MemoryDifference,
    TimeDifference,
    is_opaque,
    memory_difference,
    merged,
    pair,
    pieces,
    time_difference,
)
from reports.analysis.profile.operators import Operators
from suites.records.operator_kinds import ENGINE_NAME
from tests.reports.differences_by_hand import (
    EAGER,
    FUSED,
    MIB,
    OTHER_EAGER,
    compared,
    memory,
    profile,
    times,
)
from tests.reports.profiled_by_hand import node

SCORES = "8x256x512 float32"


def time_of(own: dict[tuple[str, str], int], other: dict[tuple[str, str], int]) -> TimeDifference:
    both = profile("mine", own), profile("yours", other)
    found = time_difference(compared(*both, times(mine=2.0, yours=1.0)), *both)
    assert found is not None
    return found


def by_group(found: TimeDifference | MemoryDifference) -> dict[str, float]:
    return {each.group: round(each.difference, 9) for each in found.pieces}


def test_the_same_operator_in_both_is_one_piece_whether_in_place_or_not() -> None:
    found = time_of(EAGER, OTHER_EAGER)
    assert by_group(found) == {
        "exp": 0.300,
        "sub": 0.200,
        "copy_": -0.153,
        "mul": 0.100,
        "bmm": 0.050,
        "view": 0.002,
        "slice": 0.001,
    }
    (exp,) = (each for each in found.pieces if each.group == "exp")
    assert [each.operator for each in (*exp.own, *exp.other)] == ["aten::exp_", "aten::exp"]
    assert exp.own[0].line == "impls/mine.py:11 mine"


def test_one_kernel_is_compared_with_the_products_of_the_other_and_all_else_by_kind() -> None:
    found = time_of(EAGER, FUSED)
    assert found.opaque is found.other
    assert by_group(found) == {
        "softmax and exponentials": 0.400,
        "elementwise": 0.300,
        "products": 0.100,
        "other": 0.003,
        "memory and fills": -0.003,
    }


def test_one_kernel_first_gives_the_same_with_the_opposite_sign() -> None:
    found = time_of(FUSED, EAGER)
    assert found.opaque is found.own
    assert by_group(found)["products"] == pytest.approx(-0.100)


def test_two_kernels_are_one_piece() -> None:
    compiled = {("impls/flex.py:94 _attention", "graph_0_cpp_fused_flex_attention_0"): 500}
    found = time_of(compiled, FUSED)
    assert found.opaque is None
    assert by_group(found) == {"attention": 0.300, "empty": -0.003}


def test_a_compiled_graph_beside_its_own_products_is_not_one_kernel() -> None:
    graph = {
        ("impls/compiled.py:9 call", "graph_0_cpp_fused_softmax_0"): 600,
        ("impls/compiled.py:9 call", "aten::bmm"): 200,
    }
    both = profile("mine", graph), profile("yours", FUSED)
    run = compared(*both, times(mine=2.0, yours=1.0)).analysis
    assert [is_opaque(Operators(each, run)) for each in both] == [False, True]


def test_a_kernel_in_a_call_that_is_mostly_python_does_the_work() -> None:
    short = FUSED | {("impls/sdpa.py:200 _sdpa", "Python"): 900}
    both = profile("mine", short), profile("yours", OTHER_EAGER)
    run = compared(*both, times(mine=2.0, yours=1.0)).analysis
    assert [is_opaque(Operators(each, run)) for each in both] == [True, False]


def test_the_pieces_and_the_unexplained_rest_add_up_to_the_measured_difference() -> None:
    found = time_of(EAGER, OTHER_EAGER)
    profiled = sum(each.difference for each in found.pieces)
    assert profiled == pytest.approx(1.003 - 0.503)
    assert found.measured_ms == pytest.approx(1.0, rel=0.01)
    assert profiled + found.unexplained_ms == pytest.approx(found.measured_ms)
    assert found.unexplained_share == pytest.approx(0.5, rel=0.01)
    assert found.is_shown


def test_equal_times_have_no_share_of_their_difference() -> None:
    both = profile("mine"), profile("yours", OTHER_EAGER)
    found = time_difference(compared(*both, lambda *_: 1.0), *both)
    assert found is not None
    assert found.unexplained_share == float("inf")
    assert not found.is_shown


def test_the_implementation_of_against_is_the_second_in_whichever_order_they_are_stored() -> None:
    own, other = profile("mine"), profile("yours", FUSED)
    for profiles in ((own, other), (other, own)):
        found = compared(own, other, times(mine=2.0, yours=1.0))
        stored = type(found)(found.analysis, profiles)
        assert pair(stored, own.problem) == (own, other)


def test_one_profile_is_no_pair() -> None:
    own, other = profile("mine"), profile("yours", FUSED)
    found = compared(own, other, times(mine=2.0, yours=1.0))
    assert pair(type(found)(found.analysis, (own,)), own.problem) is None


def test_a_profile_that_failed_or_is_not_seen_has_no_difference_in_time() -> None:
    own = profile("mine")
    for other in (
        profile("yours", nodes=(), fault="failed: RuntimeError"),
        profile("yours", unseen="no operator of torch"),
    ):
        run = compared(own, other, times(mine=2.0, yours=1.0))
        assert time_difference(run, own, other) is None


def held_by(own: object, other: object) -> MemoryDifference:
    found = memory_difference(
        profile("mine", memory=own), profile("yours", OTHER_EAGER, memory=other)
    )
    assert found is not None
    return found


def test_memory_adds_up_to_the_peaks_to_the_byte() -> None:
    own = memory((8 * MIB + 3, 2, SCORES), (5 * MIB, 4, ""), kept_bytes=7)
    other = memory((3 * MIB, 2, SCORES), (MIB + 1, 4, ""))
    found = held_by(own, other)
    assert by_group(found) == {
        "bmm": 5 * MIB + 3,
        "exp": 4 * MIB - 1,
        "preparation and the first call": 7,
    }
    total = sum(each.difference for each in found.pieces)
    assert total == found.peaks[0] - found.peaks[1] == 9 * MIB + 9


def test_tensors_of_equal_size_and_shape_are_held_by_both() -> None:
    """The output has an axis of length 1 in one of the two, and another operator allocates it."""
    own = memory((2 * MIB, 2, "1x8x1x1024x64 float32"), (8 * MIB, 2, SCORES))
    other = memory((2 * MIB, 4, "8x1024x64 float32"), (2 * MIB, 4, ""))
    found = held_by(own, other)
    assert found.shared_bytes == 2 * MIB
    assert by_group(found) == {"bmm": 8 * MIB, "exp": -2 * MIB}


def test_an_equal_shape_of_another_dtype_is_not_the_same_tensor() -> None:
    found = held_by(memory((MIB, 2, "8x64 float32")), memory((MIB, 2, "8x64 int32")))
    assert found.shared_bytes == 0


def test_operators_that_only_allocate_are_not_matched() -> None:
    empty = {("impls/mine.py:10 mine", "aten::empty"): 1}
    own = profile("mine", empty, memory=memory((3 * MIB, 2, "")))
    other = profile("yours", empty, memory=memory((2 * MIB, 2, "")))
    found = memory_difference(own, other)
    assert found is not None
    assert by_group(found) == {"empty of mine": 3 * MIB, "empty of yours": -2 * MIB}


def test_backward_operators_that_only_allocate_are_not_matched_either() -> None:
    nodes = (
        node(-1, "call", "call"),
        node(0, "line", "impls/mine.py:10 mine"),
        node(1, "operator", ENGINE_NAME),
        node(2, "operator", "aten::zeros"),
    )
    both = [
        profile(name, nodes=nodes, memory=memory((size, 3, "")))
        for name, size in (("mine", 3 * MIB), ("yours", MIB))
    ]
    found = memory_difference(*both)
    assert found is not None
    assert by_group(found) == {
        "zeros in backward of mine": 3 * MIB,
        "zeros in backward of yours": -MIB,
    }


def test_memory_that_is_not_seen_has_no_difference() -> None:
    assert memory_difference(profile("mine", memory=memory()), profile("yours")) is None


def test_small_pieces_are_merged_but_never_one_alone() -> None:
    sizes = {"a": 100.0, "b": 50.0, "c": 0.5, "d": 0.4}
    every = pieces([Amount(name, name, "", size) for name, size in sizes.items()], ())
    shown, others = merged(every, least=0.02, most=8)
    assert [each.group for each in shown] == ["a", "b"]
    assert [each.group for each in others] == ["c", "d"]
    shown, others = merged(every[:3], least=0.02, most=8)
    assert (len(shown), others) == (3, [])
    shown, others = merged(every, least=0.0, most=1)
    assert (len(shown), len(others)) == (1, 3)
