"""Bytes, memory and times of small groups, computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Problem
from impls.interface.ranks import positions_of
from suites.stats.scaling.memory import peak_bytes, saved_bytes
from suites.stats.scaling.parts import (
    Sent,
    pairs,
    pass_flops,
    redundant_share,
    sent,
    sent_backward,
    sent_forward,
)
from suites.stats.scaling.seconds import Rates, Seconds, break_even_length, seconds, slowdown

SMALL = Problem.parse("b1 h4/2 t8 d3 full bf16 train ranks4")
"""Parts of 2 tokens: q 48 bytes, k and v together 48, out 48, log-sum-exp 32."""
SLOW = Rates(flops=1.0, node=2, link=1e30, network=1e30, memory_bytes=1.0)


def test_a_ring_sends_keys_and_values_n_minus_one_times() -> None:
    assert sent_forward(SMALL) == Sent(exchanged=0, passed=3 * 48)


def test_a_ring_sends_keys_values_and_float32_gradients_backward() -> None:
    assert sent_backward(SMALL) == Sent(exchanged=0, passed=3 * (48 + 2 * 48))
    assert sent_backward(Problem.parse("h4/2 t8 d3 fp64 train ranks4")).passed == 3 * 2 * 192


def test_ulysses_sends_all_but_its_own_share() -> None:
    problem = Problem.parse("b1 h4 t8 d3 full bf16 train ranks4")
    assert sent_forward(problem, 4) == Sent(exchanged=4 * 48 * 3 // 4, passed=0)
    assert sent_backward(problem, 4) == sent_forward(problem, 4)


def test_both_together_exchange_in_groups_and_pass_between_them() -> None:
    assert sent_forward(SMALL, 2) == Sent(exchanged=3 * 48 // 2, passed=48)
    assert sent(SMALL, 2) == Sent(exchanged=3 * 48, passed=48 + 3 * 48)


def test_a_call_without_training_has_no_backward_bytes() -> None:
    assert sent(replace(SMALL, training=False)) == sent_forward(SMALL)


def test_one_rank_sends_nothing() -> None:
    assert sent(replace(SMALL, ranks=1)).total == 0


@pytest.mark.parametrize(
    ("words", "ulysses", "reason"),
    [
        ("h8/4 t64 ranks8", 8, "4 key heads do not divide by 8 ranks; each rank of an all-to-all"),
        ("h8 t64 ranks8", 3, "groups of 3 ranks do not divide 8 ranks"),
        ("h8 t64 window:8 ranks8", 1, "expected full or causal, and as many queries as keys"),
        ("h8 t64/128 ranks8", 1, "expected full or causal, and as many queries as keys"),
    ],
)
def test_what_the_formulas_do_not_cover_is_refused(words: str, ulysses: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sent_forward(Problem.parse(words), ulysses)


@pytest.mark.parametrize("words", ["b2 h4/2 t10 d3 full", "b2 h4/2 t10 d3 dv5 causal"])
def test_operations_are_those_of_the_problem(words: str) -> None:
    problem = Problem.parse(f"{words} train")
    forward = replace(problem, training=False).flops
    assert pairs(problem) == problem.visible_pairs
    assert pass_flops(problem, backward=False) == forward
    assert pass_flops(problem, backward=True) == problem.flops - forward


def test_memory_of_a_forward_pass() -> None:
    forward = replace(SMALL, training=False)
    assert saved_bytes(forward) == 3 * 48 + 32
    # A block that visits, one that arrives, the float32 sum of the output, the output of a step.
    assert peak_bytes(forward) == 3 * 48 + 32 + 2 * 48 + 2 * 48 + 48
    # Two ranks: no block arrives while another one visits.
    two = 2 * (3 * 48 + 32) + 2 * 48 + 2 * 2 * 48 + 2 * 48
    assert peak_bytes(replace(forward, ranks=2)) == two
    assert peak_bytes(replace(forward, ranks=1)) == 4 * (3 * 48 + 32)


def test_memory_of_an_all_to_all_is_twice_the_tensors() -> None:
    problem = Problem.parse("b1 h4 t8 d3 full bf16 ranks4")
    assert peak_bytes(problem, 4) == 2 * 4 * 48 + 32


def test_memory_of_a_backward_pass() -> None:
    # Saved; dout; two blocks; dq, four of dk and dv in float32; those of a step, and of the call.
    assert peak_bytes(SMALL) == 3 * 48 + 32 + 48 + 2 * 48 + 2 * 48 + 4 * 2 * 48 + 2 * 48 + 2 * 48
    two = 2 * (3 * 48 + 32 + 48 + 48 + 2 * 48 + 3 * 2 * 48 + 2 * 48 + 2 * 48)
    assert peak_bytes(replace(SMALL, ranks=2)) == two


def test_a_ring_hides_transfers_that_take_less_than_a_step() -> None:
    problem = Problem.parse("b1 h4/2 t8 d3 full bf16 ranks4")
    step = problem.flops / 16
    rates = replace(SLOW, network=48 / (0.9 * step))
    found = seconds(problem, rates)
    assert found.arithmetic == pytest.approx(4 * step)
    assert found.passing == pytest.approx(3 * 0.9 * step)
    assert found.total == pytest.approx(4 * step)


def test_a_ring_waits_for_transfers_that_take_longer_than_a_step() -> None:
    problem = Problem.parse("b1 h4/2 t8 d3 full bf16 ranks4")
    step = problem.flops / 16
    found = seconds(problem, replace(SLOW, network=48 / (2 * step)))
    assert found.total == pytest.approx(3 * 2 * step + step)


def test_the_last_gradients_of_a_ring_are_not_hidden() -> None:
    forward, backward = (pass_flops(SMALL, backward=each) / 16 for each in (False, True))
    network = 48 / (0.1 * forward)
    found = seconds(SMALL, replace(SLOW, network=network))
    assert found.total == pytest.approx(4 * forward + 4 * backward + 96 / network)


def test_a_ring_within_a_node_uses_its_links() -> None:
    problem = Problem.parse("b1 h4 t8 d3 full bf16 ranks2")
    slow = replace(SLOW, network=1e-30)
    assert seconds(problem, slow).passing < 1
    assert seconds(replace(problem, ranks=4), slow).passing > 1


def test_an_all_to_all_is_added_to_the_arithmetic() -> None:
    problem = Problem.parse("b1 h4 t8 d3 full bf16 ranks4")
    sends = 4 * 48 * 3 // 4
    # One of three others is in the node, and the slower of both ways counts.
    found = seconds(problem, replace(SLOW, link=2.0, network=8.0), 4)
    assert found.exchange == pytest.approx(max(sends / 3 / 2, sends * 2 / 3 / 8))
    assert found.total == pytest.approx(problem.flops / 4 + found.exchange)
    assert found == Seconds(found.arithmetic, found.exchange, 0.0, found.total)


@pytest.mark.parametrize("ranks", [2, 8])
def test_contiguous_causal_parts_take_longer_than_zigzag_parts(ranks: int) -> None:
    problem = Problem.parse(f"b1 h4 t65536 d8 causal bf16 ranks{ranks}")
    balanced, last = (
        seconds(problem, SLOW, shards=shards).total for shards in ("zigzag", "contiguous")
    )
    assert last / balanced == pytest.approx(slowdown(ranks), rel=1e-4)


def test_other_shards_are_refused() -> None:
    with pytest.raises(ValueError, match="shards 'striped'; expected one of contiguous, zigzag"):
        seconds(SMALL, SLOW, shards="striped")


def test_slowdown_is_that_of_the_pairs_of_the_ranks() -> None:
    length, ranks = 4096, 4
    seen = [
        sum(query + 1 for chunk in place for query in chunk)
        for place in positions_of(length, ranks, "contiguous")
    ]
    assert max(seen) * ranks / sum(seen) == pytest.approx(slowdown(ranks), rel=1e-3)


def test_break_even_is_peak_over_bandwidth_for_equal_heads_of_two_bytes() -> None:
    problem = Problem.parse("b1 h8 t64 d16 full bf16 ranks4")
    assert break_even_length(problem, 312e12, 300e9) == pytest.approx(1040)


def test_break_even_counts_masks_groups_of_heads_and_gradients() -> None:
    problem = Problem.parse("b1 h8 t1048576 d16 full bf16 ranks4")
    whole = break_even_length(problem, 1e12, 1e9)
    causal = Problem.parse("b1 h8 t1048576 d16 causal bf16 ranks4")
    assert break_even_length(causal, 1e12, 1e9) == pytest.approx(2 * whole, rel=1e-5)
    assert break_even_length(replace(problem, key_heads=2), 1e12, 1e9) == pytest.approx(whole / 4)
    assert break_even_length(problem, 1e12, 1e9, 2) == pytest.approx(whole / 2)
    # Backward: 2.5 times the operations, 3 times the bytes.
    backward = break_even_length(problem, 1e12, 1e9, backward=True)
    assert backward == pytest.approx(3 / 2.5 * whole)


def test_a_device_with_break_even_tokens_takes_as_long_for_both() -> None:
    problem = Problem.parse("b1 h8/2 t4096 d16 full bf16 ranks4")
    rates = replace(SLOW, flops=1e9, network=1e6)
    length = break_even_length(problem, rates.flops, rates.network)
    found = seconds(problem, rates)
    assert found.arithmetic / 4 / (found.passing / 3) == pytest.approx(1024 / length)


@pytest.mark.parametrize("ranks", [2, 4, 16])
def test_a_causal_ring_passes_keys_that_are_not_needed(ranks: int) -> None:
    assert redundant_share(ranks, "zigzag") == pytest.approx(1 / 4)
    assert redundant_share(ranks, "contiguous") == pytest.approx(1 / 2)
