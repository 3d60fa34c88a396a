"""Blocks give what the whole gives, hold less, and leave out what nobody sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from impls import reference
from impls.chunked import _raise as raise_
from impls.chunked import chunked
from impls.interface import CAUSAL, BiasValues, Implementation, Mask, Problem
from impls.interface.implementation import from_function
from suites.measure.inputs import bind, make_inputs
from suites.measure.memory import measure

SMALL = chunked.choosing(block_q=64, block_k=64)
DEFINITION = from_function(reference.attention)
PROBLEMS = [
    f"b2 h{heads} t{lengths} d8 {mask}"
    for heads in ("2", "4/2")
    for lengths in ("1", "7", "33", "64", "129", "33/129", "129/33")
    for mask in ("full", "causal", "window:5", "window:5:3", "window:*:3", "window:70:*")
] + [
    "b2 h2 t129 d8 causal scale0.7",
    "b2 h4/2 t129 d8 causal bthd",
    "b3 h2 t129 d8 padding:0.5",
    "b3 h2 t65/129 d8 causal+padding:0.9",
    "b2 h4/2 t129 d8 window:70:3+padding:0-3/129-129",
    "b2 h2 t129 d8 documents:1/70/58",
    "b3 h4/2 t200 d8 causal+padding:0.25+documents:50x4",
    "h4/2 d8 causal+rows:3x1/70+40/129+9/9",
    "h2 d8 window:20:3+rows:4/70+40/33+1/200 softcap2 sink bthd",
    "b2 h4/2 t129 d8 alibi",
    "b2 h4/2 t33/129 d8 dv3 window:70:3 relative:32",
    "b2 h2 t129/33 d8 dv24 causal softcap2",
    "b2 h4/2 t129/33 d8 causal sink",
    "b3 h4/2 t200 d8 dv3 causal+padding:0.25+documents:50x4 relative:8 softcap2 sink bthd",
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


def answers(implementation: Implementation, problem: Problem, x: list[Tensor]) -> list[Tensor]:
    """What an implementation gives: the output and the gradients of q, k and v."""
    out = bind(implementation, problem, make_inputs(problem, purpose="test"))(*x)
    return [out, *torch.autograd.grad(out, x, torch.ones_like(out).cumsum(-1))]


def expected(problem: Problem, x: list[Tensor]) -> list[Tensor]:
    return answers(DEFINITION, problem, x)


@pytest.mark.parametrize("text", PROBLEMS)
def test_output_and_gradients_are_those_of_the_definition(text: str) -> None:
    problem = Problem.parse(text)
    x = inputs(problem)
    for got, wanted in zip(answers(SMALL, problem, x), expected(problem, x), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-12)


@pytest.mark.parametrize("sizes", [(64, 128), (128, 64), (256, 512), (1024, 1024)])
@pytest.mark.parametrize("beside", ["", "dv3 relative:32 softcap2 sink"])
def test_the_size_of_the_blocks_changes_nothing(sizes: tuple[int, int], beside: str) -> None:
    problem = Problem.parse(f"b1 h4/2 t300/333 d8 window:150:20 {beside}")
    x = inputs(problem)
    blocks = chunked.choosing(block_q=sizes[0], block_k=sizes[1])
    for got, wanted in zip(answers(blocks, problem, x), expected(problem, x), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-12)


def test_scores_beyond_the_range_of_exp_do_no_harm() -> None:
    problem = Problem.parse("b1 h1 t200 d8 causal scale300.0")
    x = inputs(problem)
    got, wanted = answers(SMALL, problem, x), expected(problem, x)
    torch.testing.assert_close(got[0], wanted[0], rtol=0, atol=1e-9)
    assert all(each.isfinite().all() for each in got)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_accumulated_in_single(dtype: torch.dtype) -> None:
    problem = Problem.parse("b1 h2 t600 d16 causal")
    x = inputs(problem, dtype)
    exact = expected(problem, [each.detach().double().requires_grad_() for each in x])
    rounded = expected(problem, x)
    for got, plain, wanted in zip(answers(SMALL, problem, x), rounded, exact, strict=True):
        assert got.dtype == dtype
        assert (got - wanted).norm() < (plain - wanted).norm()


@pytest.mark.parametrize("beside", ["", "alibi softcap2 sink"])
def test_queries_without_keys_give_zeros_and_take_no_gradient(beside: str) -> None:
    problem = Problem.parse(f"b1 h2 t200/70 d8 causal {beside}")
    x = inputs(problem)
    out, dq, dk, dv = answers(SMALL, problem, x)
    assert (out[:, :, :130] == 0).all()
    assert (dq[:, :, :130] == 0).all()
    assert all(each.isfinite().all() for each in (dk, dv))


@pytest.mark.parametrize(
    ("text", "unseen"),
    [
        ("b1 h2 t64/256 d8 window:64", slice(0, 129)),
        ("b1 h2 t256/512 d8 window:20:20", slice(0, 237)),
        ("b1 h2 t256 d8 padding:64-256", slice(0, 64)),
        ("b1 h2 t256 d8 causal+padding:0-100", slice(100, 256)),
        ("b1 h2 t64/256 d8 window:64 relative:8 softcap2 sink", slice(0, 129)),
    ],
)
def test_keys_that_no_block_reaches_are_never_touched(text: str, unseen: slice) -> None:
    problem = Problem.parse(text)
    x = inputs(problem)
    wanted = expected(problem, x)
    with torch.no_grad():
        x[1][:, :, unseen] = float("nan")
        x[2][:, :, unseen] = float("nan")
    for got, clean in zip(answers(SMALL, problem, x), wanted, strict=True):
        torch.testing.assert_close(got, clean, rtol=0, atol=2e-12)


def test_blocks_hidden_as_a_whole_are_never_computed() -> None:
    problem = Problem.parse("b1 h2 t256 d8 causal")
    x = inputs(problem)
    wanted = expected(problem, x)
    with torch.no_grad():
        x[1][:, :, 192:] = float("nan")
        x[2][:, :, 192:] = float("nan")
    got = answers(SMALL, problem, x)
    # Only the last block of queries sees these keys.
    for index in (0, 1):
        torch.testing.assert_close(got[index][:, :, :192], wanted[index][:, :, :192])


@pytest.mark.parametrize("length", [256, 512])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full", []),
        # One for all blocks of queries: the keys after the first query of the block.
        ("causal", [(64, 63)]),
        # The first block, as if causal; then one mask from the first to the last key of a block.
        ("window:128", [(64, 63), (64, 191)]),
        ("padding:0-64", []),
    ],
)
def test_masks_are_made_once_and_only_where_pairs_are_hidden(
    text: str, expected: list[tuple[int, int]], length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    visible = Mask.visible

    def spy(self: Mask, b: object, q: Tensor, k: Tensor) -> object:
        asked.append((len(q), len(k)))
        return visible(self, b, q, k)

    monkeypatch.setattr(Mask, "visible", spy)
    problem = Problem.parse(f"b1 h4 t{length} d8 {text}")
    wide = chunked.choosing(block_q=64, block_k=1024)
    wide.bound(mask=problem.mask, scale=1.0)(*inputs(problem))
    assert asked == expected


@pytest.mark.parametrize("beside", ["h2", "h2 causal", "h4/2 causal", "h2 bf16"])
def test_no_attention_operator_of_torch_runs_inside(beside: str) -> None:
    problem = Problem.parse(f"b1 t300 d16 {beside} train")
    x = inputs(problem, getattr(torch, problem.dtype))
    with torch.profiler.profile() as profiled:
        answers(chunked, problem, x)
    names = {each.name for each in profiled.events()}
    assert "aten::baddbmm" in names
    assert not [each for each in names if "attention" in each]


def test_no_reference_is_raised_where_sums_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Tensor] = []

    def spy(top: Tensor, new_top: Tensor, sums: tuple[Tensor, ...]) -> None:
        raised.append(new_top)
        raise_(top, new_top, sums)

    monkeypatch.setattr("impls.chunked._raise", spy)
    problem = Problem.parse("b1 h1 t64/512 d8")
    x = inputs(problem)
    SMALL.bound(mask=problem.mask, scale=0.3)(*x)
    assert len(raised) == 1  # the first tile sets them
    with torch.no_grad():
        x[1][:, :, 256:320] *= 300
    got, wanted = answers(SMALL, problem, x), expected(problem, x)
    assert len(raised) == 3
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "text", ["t200/70 causal", "t99 window:9:4 softcap2", "t70/200 padding:0.5 relative:8"]
)
def test_the_sink_gets_its_gradient(text: str) -> None:
    problem = Problem.parse(f"b2 h4/2 d8 {text} sink")
    x = inputs(problem)
    found: list[Tensor] = []
    for each in (SMALL, DEFINITION):
        given = make_inputs(problem, purpose="test")
        sink = torch.linspace(-2, 3, 4, dtype=torch.float64, requires_grad=True)
        out = bind(each, problem, replace(given, sink=sink))(*x)
        found += torch.autograd.grad(out, sink, torch.ones_like(out).cumsum(-1))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-11)
    assert (found[1] != 0).all()


def test_a_sink_of_nothing_changes_nothing() -> None:
    x = inputs(Problem.parse("b1 h4/2 t100/70 d8"))
    plain = SMALL.bound(mask=CAUSAL, scale=0.3)(*x)
    nothing = torch.tensor([-torch.inf, -1e300, -torch.inf, -1e4], dtype=torch.float64)
    torch.testing.assert_close(SMALL.bound(mask=CAUSAL, scale=0.3, sink=nothing)(*x), plain)


def test_a_bias_is_made_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    between = BiasValues.between

    def spy(self: BiasValues, positions: range, keys: range) -> Tensor:
        asked.append((positions, keys))
        return between(self, positions, keys)

    monkeypatch.setattr(BiasValues, "between", spy)
    problem = Problem.parse("b1 h1 t128/192 d8 causal alibi")
    bind(SMALL, problem, make_inputs(problem, purpose="test"))(*inputs(problem))
    rows = [range(64, 128), range(128, 192)]
    keys = [range(64), range(64, 128), range(128, 192)]
    assert asked == [(rows[0], keys[0]), (rows[0], keys[1]), *((rows[1], each) for each in keys)]


@pytest.mark.parametrize(
    "text",
    ["full", "causal", "window:100", "window:100:30", "dv24 causal alibi softcap9 sink"],
)
@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
def test_memory_grows_exactly_linearly(text: str, training: bool) -> None:  # noqa: FBT001 - a parameter
    peaks = [
        _peak(Problem.parse(f"b1 h4/2 t{t} d16 {text} fp32"), training) for t in (1024, 1536, 2048)
    ]
    assert peaks[2] - peaks[1] == peaks[1] - peaks[0] > 0
    assert peaks[2] < 4 * 2048 * 2048 * 4 / 8  # well below the scores of four heads


def _peak(problem: Problem, training: bool) -> int:  # noqa: FBT001 - as above
    x = inputs(problem, torch.float32)
    gradient = torch.ones(*x[0].shape[:3], problem.value_size)
    blocks = chunked.choosing(block_q=128, block_k=128)
    call = bind(blocks, problem, make_inputs(problem, purpose="test"))

    def step() -> tuple[Tensor, ...]:
        return torch.autograd.grad(call(*x), x, gradient) if training else (call(*x),)

    step()
    peak = measure(step, "cpu")[1].peak_bytes
    assert peak is not None
    return peak


def test_settings_are_declared_with_the_values_worth_trying() -> None:
    assert {str(each) for each in chunked.sweep(("block_q",), block_k=64)} >= {
        "chunked[block_k=64,block_q=64]",
        "chunked[block_k=64,block_q=512]",
    }


def test_it_refuses_nothing() -> None:
    text = "b3 h2 t200 d8 dv9 causal+padding:0.25+documents:50x4 relative:32 softcap30 sink train"
    assert chunked.refusals(Problem.parse(text)) == ()
    assert chunked.refusals(Problem(mask=CAUSAL, query_length=3, key_length=9)) == ()
