"""Rows that were not sampled are compared with a plain float32 result."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

import impls
from impls import reference
from impls.interface import Implementation, Limits, Mask, Problem, implementation
from suites.agreement.bounds import expected
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.bounds.expected import sampled_rows
from suites.agreement.probes import unsampled_rows
from suites.measure.inputs import make_inputs
from tests.agreement.attention_call import AttentionCall, attend, implementation_of
from tests.agreement.without_hard import without_hard_inputs

KNOWN = impls.load()
LENGTH = 300
SEED = 5
TEXTS = (
    "b2 h4/2 t300 d32 causal train",
    "b1 h2 t300 d32 causal+padding:0.6 alibi fp16 train",
    "b2 h4/2 t300 d32 causal",
    "b1 h2 t300 d16 full fp64",
    "b2 h2 t300 d32 window:40 bf16 train",
    "b3 h4/2 t300 d32 causal+padding:0.5 sink",
    "b1 h4 t300 d32 causal+documents:100x3 relative:32 fp16",
    "b2 h2 t300 d32 dv24 causal softcap5 bthd",
    "b1 h4 t300 d32 causal alibi bf16",
)


@pytest.fixture(autouse=True)
def _rows_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "ALL_ROWS_UP_TO", 100)


def a_row_that_is_not_sampled(problem: Problem) -> int:
    rows = sampled_rows(problem, SEED)
    assert rows is not None
    return next(row for row in range(LENGTH // 2, LENGTH) if row not in rows)


def off_in(row: int, times: float = 1.05) -> Implementation:
    """The scale is another in one row of one head."""

    @implementation(Limits(masks=("full", "causal"), own_value_dim=True))
    def off(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        out = reference.attention(q, k, v, mask=mask, scale=scale)
        if q.shape[2] == LENGTH:
            q = q.clone()
            q[:, 1, row] *= times
            out[:, 1, row] = reference.attention(q, k, v, mask=mask, scale=scale)[:, 1, row]
        return out

    return off


@pytest.mark.parametrize("text", TEXTS)
def test_the_plain_tensors_equal_the_reference(text: str) -> None:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    q, k, v = (x.float() for x in (inputs.q, inputs.k, inputs.v))
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    wanted = reference.attention(
        q, k, v, mask=mask, scale=problem.softmax_scale, bias=inputs.bias,
        softcap=problem.softcap, sink=inputs.sink,
    )  # fmt: skip
    found, *gradients = unsampled_rows.plain_tensors(problem, inputs)
    torch.testing.assert_close(found, wanted)
    exact = derived_bounds(problem, inputs, rows=None).values
    assert len(gradients) == len(exact) - 1
    for name, gradient in zip(("dq", "dk", "dv"), gradients, strict=False):
        torch.testing.assert_close(gradient.double(), exact[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["naive", "chunked", "sdpa_flash", "sdpa_math"])
def test_honest_rows_pass(name: str, text: str) -> None:
    [each] = impls.select([name], KNOWN)
    problem = Problem.parse(text)
    if each.refusals(problem):
        return
    assert unsampled_rows.covers(problem, each, sampled_rows(problem, SEED))
    assert without_hard_inputs(problem, SEED).check(each).fault == ""


@pytest.mark.parametrize(
    ("dtype", "times"), [("fp64", 1.001), ("fp32", 1.001), ("fp16", 1.05), ("bf16", 1.5)]
)
@pytest.mark.parametrize("mask", ["full", "causal"])
def test_one_wrong_row_is_found_and_named(mask: str, dtype: str, times: float) -> None:
    problem = Problem.parse(f"b1 h2 t300 d64 {mask} {dtype}")
    row = a_row_that_is_not_sampled(problem)
    fault = without_hard_inputs(problem, SEED).check(off_in(row, times)).fault
    assert f"out is wrong in query row {row} (of 1 such; batch row 0, head 1)" in fault


@pytest.mark.parametrize("times", [0.0, float("nan")])
@pytest.mark.parametrize("dtype", ["fp64", "fp32", "fp16"])
@pytest.mark.parametrize("mask", ["full", "causal"])
def test_wrong_gradients_in_a_row_that_was_not_sampled_are_found(
    mask: str, dtype: str, times: float
) -> None:
    problem = Problem.parse(f"b1 h2 t300 d64 {mask} {dtype} train")
    row = a_row_that_is_not_sampled(problem)

    def off_where_it_is_asked(call: AttentionCall) -> Tensor:
        out = attend(call)
        if call.q.shape[2] == LENGTH and out.requires_grad:
            out.register_hook(off)  # type: ignore[no-untyped-call] # torch's
        return out

    def off(gradient: Tensor) -> Tensor:
        here = (torch.arange(LENGTH) == row)[:, None] & (gradient != 0)
        return torch.where(here, times * gradient, gradient)

    fault = without_hard_inputs(problem, SEED).check(implementation_of(off_where_it_is_asked)).fault
    assert re.search(rf"^dq is wrong at \[0, \d, {row}\] \(of \d such rows\)", fault)


def test_only_sampled_rows_of_larger_problems_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsampled_rows, "ENTRIES", 200)
    problem = Problem.parse("b1 h2 t300 d64 full")
    row = a_row_that_is_not_sampled(problem)
    assert without_hard_inputs(problem, SEED).check(off_in(row)).fault == ""
