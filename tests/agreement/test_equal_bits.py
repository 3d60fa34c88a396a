"""Repeated calls and growing batches: other bits are recorded, tensor by tensor, and no fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from impls.interface import Problem
from suites.agreement.checker import Checker
from suites.agreement.hard_inputs import PLAIN
from suites.agreement.probes import equal_repeats
from suites.records.record import Agreement
from tests.agreement.attention_call import AttentionCall, Form, attend, implementation_of
from tests.agreement.honest import keys_in_reverse_order, keys_shuffled_anew_each_time

PROBES = ("equal_repeats", "batch_independence")
TEXTS = (
    "b2 h4/2 t70 d32 causal train",
    "b3 h2 t65/40 d16 window:9+padding:0.5",
    "h2 t64 d16 causal+documents:32x2 alibi bf16",
)


def found(form: Form, text: str) -> Agreement:
    checker = Checker(Problem.parse(text), seed=3, probes=PROBES, labels=(PLAIN,))
    finding = checker.check(implementation_of(form))
    assert finding.fault == ""
    return finding.agreement


class _NoisyQueries(torch.autograd.Function):
    """The identity; the gradient has other rounding errors in every backward."""

    @staticmethod
    def forward(ctx: Any, q: Tensor) -> Tensor:
        return q.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * (1 + 1e-7 * torch.randn(1))


def noisy_dq(call: AttentionCall) -> Tensor:
    q: Tensor = _NoisyQueries.apply(call.q)  # type: ignore[no-untyped-call] # torch's
    return attend(replace(call, q=q))


def reversed_from_batch_4_on(call: AttentionCall) -> Tensor:
    """Another order of sums, as kernels choose it by the number of rows."""
    return (keys_in_reverse_order if call.q.shape[0] >= 4 else attend)(call)


@pytest.mark.parametrize("text", TEXTS)
def test_equal_bits_of_every_tensor_and_batch_are_recorded(text: str) -> None:
    agreement = found(attend, text)
    assert (agreement.repeats, agreement.differing) == (10, ())
    assert agreement.batch_differs_from == 0


def test_a_random_order_of_sums_differs_in_every_tensor() -> None:
    agreement = found(keys_shuffled_anew_each_time, TEXTS[0])
    assert agreement.differing == ("out", "dq", "dk", "dv")


def test_a_gradient_alone_may_differ() -> None:
    assert found(noisy_dq, TEXTS[0]).differing == ("dq",)


def test_the_first_batch_with_other_bits_is_recorded() -> None:
    agreement = found(reversed_from_batch_4_on, TEXTS[0])
    assert agreement.batch_differs_from == 4
    assert agreement.differing == ()


def test_calls_on_a_long_problem_are_repeated_on_the_small_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths: list[int] = []

    def counts(call: AttentionCall) -> Tensor:
        lengths.append(call.q.shape[2])
        return attend(call)

    monkeypatch.setattr(equal_repeats, "MOST_MS", 0.0)
    assert found(counts, "h2 t70 d16 full").repeats == 10
    assert lengths.count(70) == 2  # the second call records its kernels


def test_a_batch_that_is_refused_by_an_exception_is_not_tested() -> None:
    def of_batch_2(call: AttentionCall) -> Tensor:
        if call.q.shape[0] > 2:
            raise ValueError("expected two sequences")
        return attend(call)

    agreement = found(of_batch_2, "b2 h2 t70 d16 full")
    assert agreement.batch_differs_from is None
    assert agreement.repeats == 10
