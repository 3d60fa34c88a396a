"""Strips give what the whole gives, and hold what grows with the length alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impls import local_window as module
from impls import reference
from impls.interface import Implementation, Problem
from impls.interface.implementation import from_function
from impls.local_window import local_window
from suites.measure.inputs import bind, make_inputs
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
    "b3 h4/2 t129 d8 window:5:3+padding:0.5",
    "b3 h2 t33/129 d8 window:40+padding:0-9/60-129/0-129",
    "b2 h4/2 t129 d8 window:20:7+documents:1/70/58",
    "b3 h2 t200 d8 window:*:3+padding:0.25+documents:50x4",
    "b2 h4/2 t33/129 d8 dv3 window:40:9 relative:32",
    "b2 h4/2 t129/33 d8 dv24 window:9 alibi softcap2 sink",
    "b3 h4/2 t200 d8 window:9+padding:0.25+documents:50x4 relative:8 softcap2 sink bthd",
]


def inputs(problem: Problem, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    p, generator = problem, torch.Generator().manual_seed(7)
    drawn = []
    queries, keys = (p.query_heads, p.query_length), (p.key_heads, p.key_length)
    for shape in ((*queries, p.head_dim), (*keys, p.head_dim), (*keys, p.value_size)):
        x = torch.randn(p.batch, *shape, dtype=dtype, generator=generator)
        strided = x.transpose(1, 2).contiguous().transpose(1, 2) if p.layout == "bthd" else x
        drawn.append(strided.requires_grad_())
    return drawn


def answers(
    problem: Problem, x: list[Tensor], implementation: Implementation = local_window
) -> list[Tensor]:
    """The output and the gradients of q, k and v."""
    out = bind(implementation, problem, make_inputs(problem, purpose="test"))(*x)
    return [out, *torch.autograd.grad(out, x, torch.ones_like(out).cumsum(-1))]


def expected(problem: Problem, x: list[Tensor]) -> list[Tensor]:
    return answers(problem, x, from_function(reference.attention))


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


@pytest.mark.parametrize("beside", ["", "relative:8 softcap2 sink"])
def test_queries_without_keys_give_zeros_and_take_no_gradient(beside: str) -> None:
    problem = Problem.parse(f"b1 h2 t200/70 d8 window:9:4 {beside}")
    out, dq, dk, dv = answers(problem, inputs(problem))
    assert (out[:, :, :126] == 0).all()
    assert (dq[:, :, :126] == 0).all()
    assert (out[:, :, 126:] != 0).any(-1).all()
    assert all(each.isfinite().all() for each in (dk, dv))


# Blocks of 32 with strips of 96 keys, which end exactly where the reach ends.
@pytest.mark.parametrize("text", ["b1 h2 t64/256 d8 window:65", "b1 h2 t64/256 d8 window:45:20"])
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


@pytest.mark.parametrize(
    "text",
    [
        "window:8",
        "window:40:10",
        "window:100",
        "dv24 window:40+padding:0-512 relative:32 softcap9 sink",
        "window:40+documents:512 alibi",
    ],
)
@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
def test_memory_grows_exactly_linearly(
    text: str,
    training: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_most_scores", lambda *_: 8192)  # a full group at every length
    lengths = (1024, 1536, 2048)
    texts = {t: text.replace("documents:512", f"documents:512x{t // 512}") for t in lengths}
    peaks = [_peak(Problem.parse(f"b1 h4/2 t{t} d16 {texts[t]} fp32"), training) for t in lengths]
    assert peaks[2] - peaks[1] == peaks[1] - peaks[0] > 0


def _peak(problem: Problem, training: bool) -> int:  # noqa: FBT001 - as above
    x = inputs(problem, torch.float32)
    gradient = torch.ones(*x[0].shape[:3], problem.value_size)
    call = bind(local_window, problem, make_inputs(problem, purpose="test"))

    def step() -> tuple[Tensor, ...]:
        return torch.autograd.grad(call(*x), x, gradient) if training else (call(*x),)

    step()
    peak = measure(step, "cpu")[1].peak_bytes
    assert peak is not None
    return peak


@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
def test_memory_of_the_forward_pass_is_at_most_half_of_the_output_above_it(training: bool) -> None:  # noqa: FBT001 - a parameter
    problem = Problem.parse("b1 h4 t8192 d64 window:256")
    x = inputs(problem, torch.float32)
    call = bind(local_window, problem, make_inputs(problem, purpose="test"))
    with torch.set_grad_enabled(training):
        call(*x)
        peak = measure(lambda: (call(*x),), "cpu")[1].peak_bytes
    output = 4 * 8192 * 64 * 4
    assert peak is not None
    assert output < peak <= 1.5 * output


@pytest.mark.parametrize("most", [1, 5_000, 40_000, 10**9])
@pytest.mark.parametrize(
    "text",
    [
        "b2 h4/2 t200 d8 window:40:9 relative:8 softcap2 sink bthd",
        "b3 h4 t150/190 d8 window:9+padding:0.25",
        "b1 h3 t300 d8 window:70+documents:20/180/100",
    ],
)
def test_the_size_of_a_group_changes_nothing(
    most: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem.parse(text)
    x = inputs(problem)
    monkeypatch.setattr(module, "_most_scores", lambda *_: most)
    for got, wanted in zip(answers(problem, x), expected(problem, x), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-12)


@pytest.mark.parametrize("lengths", ["200", "200/70", "33/129"])
def test_a_trained_sink_gets_its_gradient(lengths: str) -> None:
    problem = Problem.parse(f"b2 h4/2 t{lengths} d8 window:40:3 sink")
    x = inputs(problem)
    sink = torch.randn(4, dtype=torch.float64, requires_grad=True)
    made = []
    for function in (local_window, from_function(reference.attention)):
        out = function.prepared(problem)(bias=None, sink=sink)(*x)
        made.append(torch.autograd.grad(out, [sink, *x], torch.ones_like(out).cumsum(-1)))
    for got, wanted in zip(*made, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-11)


def test_an_expanded_gradient_of_the_output_is_read_as_it_is() -> None:
    problem = Problem.parse("b1 h2 t129 d8 window:20")
    x = inputs(problem)
    out = bind(local_window, problem, make_inputs(problem, purpose="test"))(*x)
    expanded = torch.ones((), dtype=out.dtype).expand_as(out)
    made = torch.autograd.grad(out, x, expanded, retain_graph=True)
    for got, wanted in zip(made, torch.autograd.grad(out, x, torch.ones_like(out)), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-13)


def test_it_calls_products_only_and_no_attention_of_torch() -> None:
    problem = Problem.parse("b1 h2 t256 d8 window:40 train")
    with torch.profiler.profile() as profile:
        answers(problem, inputs(problem))
    called = {event.key for event in profile.key_averages()}
    assert "aten::baddbmm_" in called
    assert not [name for name in called if "attention" in name]


def test_a_group_fills_the_caches_of_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "core_cache_bytes", lambda _: 512 << 10)
    x = torch.empty(1, 64, 1, 1 << 14, 64)
    threads = torch.get_num_threads()
    assert module._most_scores(x, x, torch.zeros(1)) == 2 * (512 << 10) * threads // 4
    assert module._most_scores(x[:, :1, :, :64], x, torch.zeros(1)) == 64 * 64 // 4


@pytest.mark.parametrize("sizes", ["d8 dv64", "d64 dv8"])
def test_the_gradient_of_full_groups_fits_their_buffers(sizes: str) -> None:
    problem = Problem.parse(f"b1 h2 t512 {sizes} window:9 train")
    x = inputs(problem)
    for got, wanted in zip(answers(problem, x), expected(problem, x), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-12)


def test_only_windows_are_within_its_reach_with_all_that_goes_with_them() -> None:
    windows = "window, window+padding, window+documents, window+padding+documents"
    everything = "t9 window:9+padding:0.5+documents:4/5 relative:8 dv9 softcap30 sink train"
    assert local_window.refusals(Problem.parse(everything)) == ()
    for kind in ("causal", "padding:0.5", "causal+padding:0.5"):
        problem = Problem.parse(kind)
        assert local_window.refusals(problem) == (f"mask {problem.mask.kind}: takes {windows}",)
