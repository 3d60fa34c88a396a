"""Real groups of two processes: right calls, what is measured of them, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import impls
from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker, Finding
from suites.engine.ranks.group_call import Limited, Ranks, grouped
from suites.engine.ranks.groups import groups
from suites.engine.ranks.messages import Source
from suites.engine.ranks.readings import in_check, in_session
from suites.engine.ranks.sampler import RanksClock, RanksSampler
from suites.measure.group_errors import GroupError
from suites.measure.inputs import call_of, make_inputs

FAULTY = Path(__file__).parents[1] / "hostile" / "faulty_ring.py"
TRAINING = Problem.parse("b1 h4/2 t64 d16 causal train ranks2")
NO_LIMIT_S = 120.0


@pytest.fixture(scope="module", autouse=True)
def ended() -> Iterator[None]:
    """The groups of these tests end with them."""
    yield
    groups().end()


def of_file(name: str, file: Path = FAULTY, time_s: float = NO_LIMIT_S) -> Implementation:
    each = impls.load_file(file, name)[0]
    source = Source(spec=name, files={name: str(file)})
    return grouped(each, source, Limited(time_s, 4 << 30))


def ring() -> Implementation:
    return of_file("ring", impls.FOLDER / "ring.py")


def calls(each: Implementation) -> Ranks:
    assert isinstance(each.group_call, Ranks)
    return each.group_call


def checked(name: str, problem: Problem) -> Finding:
    return Checker(problem, 1, labels=(), probes=("rounding_bound",)).check(of_file(name))


def failing(name: str, time_s: float = NO_LIMIT_S) -> GroupError:
    """The error of a forward call."""
    problem = Problem.parse("b1 h4 t64 d16 causal ranks2")
    each, inputs = of_file(name, time_s=time_s), make_inputs(problem, purpose="test")
    calls(each).start(problem)
    with pytest.raises(GroupError) as raised:
        call_of(each.prepared(problem)(), inputs)()
    return raised.value


def test_output_and_gradients_of_a_group_are_those_of_one_process() -> None:
    inputs = make_inputs(TRAINING, purpose="test")
    made = call_of(ring().prepared(TRAINING)(), inputs)()

    def alone(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    for one, other in zip(made, call_of(alone, inputs)(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_check_counts_the_bytes_that_the_formula_of_ring_states() -> None:
    p = TRAINING
    found = in_check(calls(ring()), p, seed=1)
    half = p.batch * p.key_heads * p.key_length // 2 * (p.head_dim + p.value_size) * 4
    # Forward: keys and values once. Backward: as many, and as many sums of gradients.
    assert [each.sent_bytes for each in found] == [3 * half] * 2
    out = p.batch * p.query_heads * p.query_length // 2 * p.value_size * 4
    assert all(each.peak_bytes is not None and each.peak_bytes > out for each in found)


def test_a_sample_is_the_slowest_rank_and_the_record_has_every_rank() -> None:
    each, inputs = ring(), make_inputs(TRAINING, purpose="test")
    call = call_of(each.prepared(TRAINING)(), inputs)
    sampler = RanksSampler(RanksClock(groups()))
    slowest_ms = sampler.take([call], 2)
    assert len(sampler.samples[0]) == 2
    assert slowest_ms == max(sampler.samples[0])
    found = in_session(calls(each), TRAINING, inputs, sampler.samples)
    assert [each.rank for each in found] == [0, 1]
    assert [each.call_ms for each in found] == list(sampler.samples[0])
    assert all(each.communication_ms is not None for each in found)
    assert all(each.arithmetic_ms is not None for each in found)


@pytest.mark.parametrize(
    ("name", "tensors"),
    [
        ("lost_last_block", "of out and dq"),
        ("log_sum_not_merged", "of out"),
        ("positions_swapped", "of out and dq"),
        ("key_gradients_not_returned", "of dk"),
    ],
)
def test_a_fault_of_one_rank_is_called_wrong_with_its_rank(name: str, tensors: str) -> None:
    found = checked(name, TRAINING)
    assert "rank 1's rows (16 to 31, 32 to 47) of" in found.fault
    assert tensors in found.fault
    assert "those of the other rank agree" in found.fault


def test_the_ring_that_the_faults_are_planted_in_is_right() -> None:
    assert checked("right_ring", TRAINING).fault == ""


def test_a_rank_that_raises_is_named_and_the_group_starts_again() -> None:
    error = failing("raises")
    assert str(error) == "rank 1 of 2: ValueError: no block of this size"
    assert (error.status, error.cause) == ("failed", "exception")
    assert checked("right_ring", TRAINING).fault == ""


def test_a_rank_that_dies_is_named_with_its_signal() -> None:
    error = failing("dies")
    assert str(error).startswith("rank 1 of 2 died: killed by SIGKILL")
    assert (error.status, error.cause, error.ended) == ("crashed", "process_died", True)


def test_a_rank_that_hangs_is_named_with_its_line_before_the_time_limit() -> None:
    error = failing("hangs", time_s=5.0)
    text = str(error)
    assert text.startswith("rank 1 of 2 did not finish within 4 s (80 % of --time-limit): it is at")
    assert "faulty_ring.py:" in text
    assert "rank 0 waits for a transfer at ring.py:" in text
    assert (error.status, error.cause, error.ended) == ("timed_out", "time_limit", True)
