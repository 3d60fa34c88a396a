"""Faults that no slip explains keep their message; right functions have no cause."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, Form, attend, implementation_of
from tests.agreement.slips.tracing import finding


def noise(call: AttentionCall) -> Tensor:
    return torch.randn(call.q.shape, generator=torch.Generator().manual_seed(1)).to(call.q.dtype)


def small_noise(call: AttentionCall) -> Tensor:
    return attend(call) + 0.03 * noise(call)


def zeros(call: AttentionCall) -> Tensor:
    return 0 * (call.q + attend(call))


def tenth_too_large(call: AttentionCall) -> Tensor:
    return 1.1 * attend(call)


def one_row_off(call: AttentionCall) -> Tensor:
    out = attend(call)
    rows = (torch.arange(out.shape[2]) == out.shape[2] - 1)[:, None]
    return torch.where(rows, 1.1 * out, out)


def one_key_missing(call: AttentionCall) -> Tensor:
    scores = call.scores.masked_fill(torch.arange(call.k.shape[2]) == 7, float("-inf"))
    return torch.softmax(scores, -1).nan_to_num(0.0) @ call.values


def keys_of_eight_bits(call: AttentionCall) -> Tensor:
    size = call.k.abs().amax(-1, keepdim=True) / 127
    return attend(replace(call, k=(call.k / size).round() * size))


def tabulated_scores(call: AttentionCall) -> Tensor:
    weights = torch.softmax((64 * call.scores).round() / 64, -1).nan_to_num(0.0)
    return weights @ call.values


def inputs_changed(call: AttentionCall) -> Tensor:
    out = attend(call)
    call.q.mul_(2)
    return out


def values_of_another_head(call: AttentionCall) -> Tensor:
    return attend(replace(call, v=call.v.flip(1)))


def window_three_too_long_and_scale_twice(call: AttentionCall) -> Tensor:
    mask = replace(call.mask, left=(call.mask.left or 0) + 3)
    return attend(replace(call, mask=mask, scale=call.scale**2))


GROSS = (
    noise,
    small_noise,
    zeros,
    tenth_too_large,
    one_row_off,
    one_key_missing,
    inputs_changed,
    values_of_another_head,
    window_three_too_long_and_scale_twice,
)
FINE = (keys_of_eight_bits, tabulated_scores)
"""Errors of the size of roundings in half precision."""
WIDE = ("h4 t64 d16 window:9", "h4/2 t64 d64 causal fp64")
HALF = ("h4/2 t64 d64 causal bf16",)


@pytest.mark.parametrize(("form", "problem"), [*product(GROSS, WIDE + HALF), *product(FINE, WIDE)])
def test_a_fault_that_no_slip_explains_has_no_cause(form: Form, problem: str) -> None:
    found = finding(implementation_of(form), problem)
    assert found.fault
    assert found.cause is None
    assert found.reason == found.fault


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_right_function_has_no_cause(dtype: str) -> None:
    found = finding(implementation_of(attend), f"h4 t64 d16 causal {dtype} train")
    assert (found.fault, found.cause, found.reason) == ("", None, "")
