"""Strips give what the whole gives, and hold what grows with the length alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impls import reference
from impls.interface import Problem
from impls.local_window import local_window
from suites.measure.memory import measure

PROBLEMS = [
    f"b2 h{heads} t{lengths} d8 {mask}"
    for heads in ("2", "4/2")
    for lengths in ("1", "7", "33", "64", "129", "33/129", "129/33", "7/129", "129/1")
    for mask in (
        "window:1",
        "window:5",
        "window:5:3",
        "window:40",
        "window:500:90",
        "window:*:3",
        "window:3:*",
    )
] + [
    "b2 h2 t129 d8 window:5:3 scale0.7",
    "b2 h4/2 t129 d8 window:40 bthd",
    "b1 h2 t700 d8 window:300:20",
]


def inputs(problem: Problem, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    p, generator = problem, torch.Generator().manual_seed(7)
    drawn = []
    for heads, length in ((p.query_heads, p.query_length), *((p.key_heads, p.key_length),) * 2):
        x = torch.randn(p.batch, heads, length, p.head_dim, dtype=dtype, generator=generator)
        strided = x.transpose(1, 2).contiguous().transpose(1, 2) if p.layout == "bthd" else x
        drawn.append(strided.requires_grad_())
    return drawn


def answers(problem: Problem, x: list[Tensor]) -> list[Tensor]:
    """The output and the gradients of q, k and v."""
    out = local_window.bound(mask=problem.mask, scale=problem.softmax_scale)(*x)
    return [out, *torch.autograd.grad(out, x, torch.ones_like(out).cumsum(-1))]


def expected(problem: Problem, x: list[Tensor]) -> list[Tensor]:
    out = reference.attention(*x, mask=problem.mask, scale=problem.softmax_scale)
    return [out, *torch.autograd.grad(out, x, torch.ones_like(out).cumsum(-1))]


@pytest.mark.parametrize("text", PROBLEMS)
def test_output_and_gradients_are_those_of_the_definition(text: str) -> None:
    problem = Problem.parse(text)
    x = inputs(problem)
    for got, wanted in zip(answers(problem, x), expected(problem, x), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_output_has_the_dtype_of_the_queries(dtype: torch.dtype) -> None:
    problem = Problem.parse("b1 h2 t100/40 d16 window:20")
    x = inputs(problem, dtype)
    exact = expected(problem, [each.detach().double().requires_grad_() for each in x])
    for got, wanted in zip(answers(problem, x), exact, strict=True):
        assert got.dtype == dtype
        error = (got - wanted).norm() / wanted.norm()
        assert error < 8 * torch.finfo(dtype).eps


def test_queries_without_keys_give_zeros_and_take_no_gradient() -> None:
    problem = Problem.parse("b1 h2 t200/70 d8 window:9:4")
    out, dq, dk, dv = answers(problem, inputs(problem))
    assert (out[:, :, :126] == 0).all()
    assert (dq[:, :, :126] == 0).all()
    assert (out[:, :, 126:] != 0).any(-1).all()
    assert all(each.isfinite().all() for each in (dk, dv))


@pytest.mark.parametrize("text", ["b1 h2 t64/256 d8 window:64", "b1 h2 t64/256 d8 window:20:20"])
def test_keys_that_no_strip_reaches_are_never_touched(text: str) -> None:
    problem = Problem.parse(text)
    x = inputs(problem)
    wanted = expected(problem, x)
    reach = (problem.mask.left or 0) - 1
    with torch.no_grad():
        x[1][:, :, : 256 - 64 - reach] = float("nan")
        x[2][:, :, : 256 - 64 - reach] = float("nan")
    for got, clean in zip(answers(problem, x), wanted, strict=True):
        torch.testing.assert_close(got, clean, rtol=0, atol=2e-12)


def test_blocks_hidden_as_a_whole_are_never_computed() -> None:
    problem = Problem.parse("b1 h2 t320 d8 window:20")  # blocks of 32, strips of 51
    x = inputs(problem)
    wanted = expected(problem, x)
    with torch.no_grad():
        x[1][:, :, 128:160] = float("nan")
        x[2][:, :, 128:160] = float("nan")
    beyond = [*range(128), *range(192, 320)]
    for got, clean in zip(answers(problem, x)[:2], wanted[:2], strict=True):
        torch.testing.assert_close(got[:, :, beyond], clean[:, :, beyond], rtol=0, atol=2e-12)


def test_values_of_hidden_keys_weigh_exactly_nothing() -> None:
    problem = Problem.parse("b1 h1 t64 d8 window:3:1")
    x = inputs(problem)
    before = answers(problem, x)[0]
    with torch.no_grad():
        x[2][:, :, 40] = 1e300
    after = answers(problem, x)[0]
    seen = [39, 40, 41, 42]
    others = [row for row in range(64) if row not in seen]
    assert torch.equal(after[:, :, others], before[:, :, others])


@pytest.mark.parametrize("text", ["window:8", "window:40:10", "window:100"])
@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
def test_memory_grows_exactly_linearly(text: str, training: bool) -> None:  # noqa: FBT001 - a parameter
    peaks = [
        _peak(Problem.parse(f"b1 h4/2 t{t} d16 {text} fp32"), training) for t in (512, 1024, 1536)
    ]
    assert peaks[2] - peaks[1] == peaks[1] - peaks[0] > 0


def _peak(problem: Problem, training: bool) -> int:  # noqa: FBT001 - as above
    x = inputs(problem, torch.float32)
    gradient = torch.ones_like(x[0])
    call = local_window.bound(mask=problem.mask, scale=problem.softmax_scale)

    def step() -> tuple[Tensor, ...]:
        return torch.autograd.grad(call(*x), x, gradient) if training else (call(*x),)

    step()
    return measure(step, "cpu")[1].peak_bytes


def test_only_windows_are_within_its_reach() -> None:
    assert local_window.refusals(Problem.parse("window:9 train")) == ()
    assert local_window.refusals(Problem.parse("causal")) == ("mask causal: takes window",)
    assert local_window.refusals(Problem.parse("window:9+padding:0.5")) == (
        "mask window+padding: takes window",
    )
