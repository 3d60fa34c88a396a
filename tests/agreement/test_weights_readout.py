"""Attention weights read out of outputs: right ones agree, and each wrong way is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import impls
from impls import reference
from impls.interface import Implementation, Limits, Mask, Problem, implementation
from impls.interface.limits import EVERY_MASK
from suites.agreement.weights_readout import ReadOut, one_hot_values, read_out, summary
from suites.measure.inputs import bind, make_inputs
from suites.records.weights import MOST_CELLS, MOST_HEADS, MOST_POSITIONS, Weights
from tests.stand_in.device import stand_in

WINDOW = "b1 h2 t20 d8 window:5 fp32"


def named(name: str) -> Implementation:
    (found,) = impls.select([name], impls.load())
    assert isinstance(found, Implementation)
    return found


def read(each: Implementation, problem: Problem) -> ReadOut:
    inputs = make_inputs(problem, purpose="weights")
    return read_out(each, bind(each, problem, inputs), problem, inputs)


def shown(each: Implementation, text: str) -> Weights:
    problem = Problem.parse(text)
    return summary(each, each.name, problem, read(each, problem))


def changed(weights: Callable[[Tensor, Tensor], Tensor]) -> Implementation:
    """An implementation that changes the reference's weights, given them and the hidden pairs."""

    def mine(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        eye = torch.eye(k.shape[2], dtype=q.dtype).expand(*k.shape[:3], k.shape[2])
        right = reference.attention(q, k, eye, mask=mask, scale=scale)
        return weights(right, right == 0) @ v.repeat_interleave(q.shape[1] // k.shape[1], 1)

    return implementation(Limits(masks=EVERY_MASK))(mine)


CAUSAL = ("b2 h4/2 t20 d8 causal", "b1 h2 t12/20 d8 causal", "b1 h2 t20 d8 causal bf16")
RIGHT = [
    *((name, text) for name in ("naive", "chunked", "sdpa_flash") for text in CAUSAL),
    *((name, WINDOW) for name in ("naive", "chunked", "local_window")),
    ("local_window", "b2 h4/2 t20 d8 window:3:2 bf16"),
]


@pytest.mark.parametrize(("name", "text"), RIGHT)
def test_the_weights_of_right_implementations_are_the_references(name: str, text: str) -> None:
    each, problem = named(name), Problem.parse(text)
    found = read(each, problem)
    inputs = make_inputs(problem, purpose="weights")
    eye = torch.eye(problem.key_length, dtype=torch.float64)
    values = eye.expand(problem.batch, problem.key_heads, *eye.shape)
    right = reference.attention(
        inputs.q.double(),
        inputs.k.double(),
        values,
        mask=problem.mask,
        scale=problem.softmax_scale,
    )
    torch.testing.assert_close(found.expected, right, rtol=0.0, atol=1e-12)
    assert found.calls == -(-problem.key_length // 8)
    made = summary(each, name, problem, found)
    assert made.agrees
    assert made.deviations == ()
    assert made.largest is not None
    assert abs(made.largest.off) < (1e-2 if problem.dtype == "bfloat16" else 1e-6)


@pytest.mark.parametrize("more", ["alibi", "relative:8", "dense", "softcap5.0", "dv3", "bthd"])
def test_a_bias_a_softcap_and_other_value_sizes_are_those_of_the_problem(more: str) -> None:
    assert shown(named("chunked"), f"b1 h2 t20 d8 causal {more}").agrees


def test_with_a_sink_weights_sum_to_less_than_one() -> None:
    found = shown(named("naive"), "b1 h2 t20 d8 causal sink")
    assert found.agrees
    assert found.sums is not None
    assert found.sums[1] < 0.999


def test_padding_and_queries_without_a_key_have_no_weight() -> None:
    found = shown(named("naive"), "b2 h1 t8/5 d8 causal")
    assert found.agrees
    assert found.keyless == 2 * 3
    assert found.heads[0].weights[0] == (0.0,) * 5
    assert found.heads[0].sums[:3] == (0.0, 0.0, 0.0)


def test_a_hidden_key_with_a_weight_is_named() -> None:
    def shift(weights: Tensor, hidden: Tensor) -> Tensor:
        return weights + torch.eye(weights.shape[-1]).roll(1, 1).tril(1).triu(1) * 0.25 * hidden

    found = shown(changed(shift), "b1 h2 t6 d8 causal")
    (deviation,) = found.deviations
    assert (deviation.kind, deviation.queries) == ("hidden", 2 * 5)
    assert deviation.worst.key == deviation.worst.query + 1
    assert deviation.worst.found == pytest.approx(0.25)
    assert deviation.worst.expected == 0.0


def test_a_visible_key_without_a_weight_is_named() -> None:
    def drop(weights: Tensor, hidden: Tensor) -> Tensor:
        del hidden
        lost = weights.clone()
        lost[:, 1, 3, 2] = 0.0
        return lost

    found = shown(changed(drop), "b1 h2 t6 d8 causal")
    (deviation,) = found.deviations
    place = deviation.worst
    assert (deviation.kind, deviation.queries) == ("lost", 1)
    assert (place.batch_row, place.head, place.query, place.key) == (0, 1, 3, 2)


def test_another_weight_and_nan_are_named() -> None:
    found = shown(changed(lambda weights, _: weights * 1.01), "b1 h2 t6 d8 causal")
    assert [each.kind for each in found.deviations] == ["other"]
    found = shown(changed(lambda weights, _: weights * float("nan")), "b1 h1 t6 d8 full")
    assert not found.agrees
    assert [(each.kind, each.queries) for each in found.deviations] == [("nan", 6)]


def test_the_smallest_rounding_is_no_deviation() -> None:
    assert shown(changed(lambda weights, _: weights * (1 + 6e-8)), "b1 h2 t6 d8 causal").agrees


def test_an_approximation_has_no_bound() -> None:
    found = shown(named("int8_attention"), "b1 h2 t64 d64 full")
    assert (found.approximate, found.agrees, found.deviations) == (True, False, ())
    assert found.largest is not None
    assert found.largest.off != 0.0


def test_weights_are_read_out_on_an_nvidia_device() -> None:
    with stand_in():
        found = shown(named("naive"), "b1 h2 t20 d8 causal cuda")
    assert found.agrees


def test_one_hot_values_show_every_key_once() -> None:
    problem = Problem.parse("b1 h2 t5/11 d4 full")
    joined = torch.cat(list(one_hot_values(problem)), -1)
    assert joined.shape == (1, 2, 11, 12)
    torch.testing.assert_close(joined[0, 1, :, :11], torch.eye(11))
    assert not joined[..., 11:].any()


def test_few_heads_and_positions_are_drawn_and_all_are_compared() -> None:
    many = shown(named("naive"), "b3 h8 t16 d16 causal")
    assert len(many.heads) == MOST_HEADS
    problem = Problem.parse("b1 h2 t300 d64 causal")
    long = summary(named("naive"), "naive", problem, read(named("naive"), problem))
    assert len(long.heads) == max(1, MOST_CELLS // MOST_POSITIONS**2)
    assert len(long.heads[0].weights) == len(long.heads[0].weights[0]) == MOST_POSITIONS
    assert long.heads[0].sums[-1] == pytest.approx(1.0)
    found = torch.zeros(1, 2, 300, 300)
    found[0, 1, 299, 299] = 0.5
    wrong = ReadOut(found, torch.zeros_like(found), found > 0, calls=1)
    assert summary(named("naive"), "naive", problem, wrong).deviations[0].worst.query == 299
