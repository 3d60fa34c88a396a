"""Functions with a reference of their own, whose weights need not sum to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import elu

from impls.interface import Implementation, Limits, Mask, Problem, implementation
from suites.agreement.checker import Checker
from suites.agreement.key_weights import key_weight
from suites.measure import timing
from tests.agreement.without_hard import without_hard_inputs

LIMITS = Limits(masks=("full", "causal"), unequal_lengths=False, own_scale=False)
TEXTS = ("h2 t130 d32 full", "b2 h4/2 t70 d16 causal train", "h2 t600 d64 causal bf16")
Weights = Callable[[Tensor, Tensor, Mask], Tensor]


def hidden_removed(weights: Tensor, mask: Mask) -> Tensor:
    return weights if mask.is_full else weights.tril(weights.shape[3] - weights.shape[2])


def without_normaliser(q: Tensor, k: Tensor, mask: Mask) -> Tensor:
    return hidden_removed((elu(q) + 1) @ (elu(k) + 1).mT, mask)


def normalised(q: Tensor, k: Tensor, mask: Mask) -> Tensor:
    weights = without_normaliser(q, k, mask)
    return weights / weights.sum(-1, keepdim=True)


def relu_kernel(q: Tensor, k: Tensor, mask: Mask) -> Tensor:
    return hidden_removed(torch.relu(q) @ torch.relu(k).mT, mask)


def relu_over_length(q: Tensor, k: Tensor, mask: Mask) -> Tensor:
    """arXiv 2309.08586: a ReLU of the scores over the number of keys."""
    return hidden_removed(torch.relu(q @ k.mT) / k.shape[2], mask)


def retention(q: Tensor, k: Tensor, mask: Mask) -> Tensor:
    """arXiv 2307.08621: products times a decay with the distance."""
    rows, keys = torch.arange(q.shape[2]), torch.arange(k.shape[2])
    distance = (rows[:, None] + k.shape[2] - q.shape[2] - keys).abs().to(q.dtype)
    decay = 1 - 2.0 ** -(5 + torch.arange(q.shape[1], dtype=q.dtype))
    return hidden_removed(q @ k.mT * decay[:, None, None] ** distance, mask)


HONEST = (without_normaliser, normalised, relu_kernel, relu_over_length, retention)
SINGLE = (without_normaliser, normalised, relu_kernel, relu_over_length)
"""Those whose weights are equal where q and k are constant."""


def made(of: Weights, wrong: Callable[[Tensor, Tensor], Tensor] | None = None) -> Implementation:
    """An implementation with a dense reference; `wrong` changes its weights, given the dense ones.

    wrong  of weights with and without the mask
    """

    def dense(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
        group = q.shape[1] // k.shape[1]
        k, v = (x.repeat_interleave(group, 1) for x in (k, v))
        return of(q, k, mask) @ v

    def function(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
        group = q.shape[1] // k.shape[1]
        k, v = (x.repeat_interleave(group, 1) for x in (k, v))
        weights = of(q, k, mask)
        return (weights if wrong is None else wrong(weights, of(q, k, Mask()))) @ v

    function.__name__ = of.__name__
    return implementation(LIMITS, reference=dense)(function)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("of", HONEST, ids=lambda of: of.__name__)
def test_a_function_whose_weights_do_not_sum_to_one_is_accepted(of: Weights, text: str) -> None:
    found = Checker(Problem.parse(text), seed=2).check(made(of))
    assert found.fault == ""
    assert found.agreement.readout is True


def test_the_weight_of_a_key_is_that_of_the_reference() -> None:
    problem = Problem.parse("h2 t600 d64 causal")
    weights = {of.__name__: key_weight(made(of), problem) for of in HONEST}
    assert weights["retention"] is None
    found = {name: each.weight for name, each in weights.items() if each is not None}
    feature = 1 + 64**-0.5
    assert found == {
        "without_normaliser": pytest.approx(64 * feature**2),
        "normalised": None,
        "relu_kernel": pytest.approx(1.0),
        "relu_over_length": pytest.approx(1 / 600),
    }


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("of", SINGLE, ids=lambda of: of.__name__)
def test_a_single_key_that_one_row_forgets_is_read_out(of: Weights, dtype: str) -> None:
    def forgets(weights: Tensor, _: Tensor) -> Tensor:
        weights = weights.clone()
        weights[:, :, 299, 7:8] = 0
        return weights

    problem = Problem.parse(f"h2 t600 d64 causal {dtype}")
    fault = without_hard_inputs(problem, 2).check(made(of, forgets)).fault
    assert fault == (
        "query 299 (of 1 that differ; batch row 0, head 0) sees keys 0..6, 8..299, expected 0..299"
    )


def test_hard_inputs_with_values_beyond_float16_are_left_out() -> None:
    def large(q: Tensor, k: Tensor, mask: Mask) -> Tensor:
        return 30 * relu_kernel(q, k, mask)

    found = [
        Checker(Problem.parse(f"h2 t70 d32 causal {dtype}"), seed=2).check(made(large))
        for dtype in ("fp16", "bf16")
    ]
    assert [each.fault for each in found] == ["", ""]
    assert 0 < found[0].agreement.hard_inputs < found[1].agreement.hard_inputs


@pytest.mark.parametrize("of", SINGLE, ids=lambda of: of.__name__)
def test_a_hidden_key_that_one_row_sees_is_read_out(of: Weights) -> None:
    def peeks(weights: Tensor, unmasked: Tensor) -> Tensor:
        weights = weights.clone()
        weights[:, :, 299, 300] = unmasked[:, :, 299, 300]
        return weights

    problem = Problem.parse("h2 t600 d64 causal")
    fault = without_hard_inputs(problem, 2).check(made(of, peeks)).fault
    assert "query 299 (of 1 that differ" in fault


@pytest.mark.parametrize("quick_ms", [timing.QUICK_MS, 0.0])
def test_decay_that_reaches_the_next_key_is_found_by_perturbation(
    quick_ms: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def peeks(weights: Tensor, unmasked: Tensor) -> Tensor:
        return weights + 1e-3 * unmasked.triu(1).tril(1)

    monkeypatch.setattr(timing, "QUICK_MS", quick_ms)  # a call may be slow
    problem = Problem.parse("h2 t600 d64 causal")
    fault = without_hard_inputs(problem, 2).check(made(retention, peeks)).fault
    assert "changes with hidden keys" in fault


@pytest.mark.parametrize("of", HONEST, ids=lambda of: of.__name__)
def test_a_function_that_is_a_little_too_large_is_rejected(of: Weights) -> None:
    each = made(of, lambda weights, _: 1.001 * weights)
    found = without_hard_inputs(Problem.parse("h2 t130 d32 causal"), 2).check(each)
    assert found.fault.startswith("out is wrong")


def test_the_decay_of_another_head_is_rejected() -> None:
    each = made(retention, lambda weights, _: weights.flip(1))
    found = without_hard_inputs(Problem.parse("h2 t130 d32 causal"), 2).check(each)
    assert found.fault.startswith("out is wrong")


def test_keys_that_a_wrong_normaliser_weighs_are_not_counted_by_its_own_sum() -> None:
    """The weight is the reference's: a function without its normaliser does not pass for one."""
    each = made(normalised)
    other = replace(each, function=made(without_normaliser).function)
    found = without_hard_inputs(Problem.parse("h2 t130 d32 causal"), 2).check(other)
    assert "with unequal weights or wrong values" in found.fault
