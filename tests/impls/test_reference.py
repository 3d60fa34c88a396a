"""The definition of correct, against torch and against a loop that holds nothing but numbers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from impls import reference
from impls.interface import CAUSAL, FULL, BiasValues, Mask, Problem
from impls.interface.bias import bucket

PROBLEMS = [
    "b2 h3 t5 d4",
    "b2 h3 t5/9 d4",
    "b1 h2 t1/7 d8 causal",
    "b2 h4/2 t6 d3 causal",
    "b2 h4/1 t3/8 d3 causal",
    "b1 h2 t9 d4 window:3",
    "b1 h2 t9 d4 window:3:2",
    "b1 h6/2 t4/9 d4 window:2:*",
    "b3 h2 t8 d4 padding:0.5",
    "b3 h2 t4/8 d4 padding:0-3/2-8/0-8",
    "b2 h2 t8 d4 documents:3/5",
    "b3 h4/2 t8 d4 window:4+padding:0.25+documents:4x2",
    "h2 d4 rows:1/5+3/2",
    "h4/2 d4 causal+rows:2x1/3+3/4+3/2 softcap2 sink",
    "h2 d4 dv3 window:2:1+rows:2/5+4/4",
    "b1 h1 t6 d1 causal scale3",
    "b2 h4/2 t4/9 d4 dv3 causal alibi",
    "b2 h4/2 t9/4 d4 relative:8",
    "b2 h4/2 t4/9 d4 dv3 causal dense softcap2",
    "b2 h4/2 t9/4 d4 dense",
    "b1 h2 t6 d4 window:3:1 softcap2",
    "b2 h4/2 t5/3 d4 dv6 causal+padding:0-3/2-2 sink",
    "b2 h4/2 t7 d4 causal+documents:3/4 relative:4 softcap1.5 sink",
]


def inputs(problem: Problem, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    keys = (problem.batch, problem.key_heads, problem.key_length)
    queries = (problem.batch, problem.query_heads, problem.query_length)
    q, k, v = (
        torch.randn((*shape, columns), dtype=torch.float64, generator=generator)
        for shape, columns in (
            (queries, problem.head_dim),
            (keys, problem.head_dim),
            (keys, problem.value_size),
        )
    )
    return q.to(dtype), k.to(dtype), v.to(dtype)


def beside(problem: Problem) -> tuple[BiasValues | None, Tensor | None]:
    """The bias and the sink of a problem, float64."""
    generator = torch.Generator().manual_seed(8)
    kind, heads = problem.bias.kind, problem.query_heads
    shape = {
        "alibi": (heads,),
        "dense": (heads, problem.query_length, problem.key_length),
    }.get(kind, (heads, problem.bias.buckets))
    numbers = torch.randn(shape, dtype=torch.float64, generator=generator)
    sink = torch.randn(heads, dtype=torch.float64, generator=generator)
    return None if kind == "none" else BiasValues(kind, numbers), sink if problem.sink else None


def answered(problem: Problem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    bias, sink = beside(problem)
    return reference.attention(
        q,
        k,
        v,
        mask=mask,
        scale=problem.softmax_scale,
        bias=bias,
        softcap=problem.softcap,
        sink=sink,
    )


def seen_by(problem: Problem) -> Tensor:
    """[B, 1, Tq, Tk] from the intervals of the mask, which know nothing of tensors."""
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    shape = (problem.batch, 1, problem.query_length, problem.key_length)
    seen = torch.zeros(shape, dtype=torch.bool)
    for b in range(problem.batch):
        for i in range(problem.query_length):
            position = i + problem.key_length - problem.query_length
            start, end = mask.interval(b, position, problem.key_length)
            seen[b, 0, i, start:end] = True
    return seen


def score(
    problem: Problem, rows: tuple[list[float], list[float]], head: int, pair: tuple[int, int]
) -> float:
    """Of a row of queries and one of keys: scaled, capped, then biased."""
    apart = pair[0] + problem.key_length - problem.query_length - pair[1]
    number = problem.softmax_scale * math.fsum(x * y for x, y in zip(*rows, strict=True))
    if problem.softcap is not None:
        number = problem.softcap * math.tanh(number / problem.softcap)
    bias, _ = beside(problem)
    if bias is not None and bias.kind == "alibi":
        number -= float(bias.values[head]) * abs(apart)
    elif bias is not None and bias.kind == "dense":
        number += float(bias.values[head, pair[0], pair[1]])
    elif bias is not None:
        number += float(bias.values[head, bucket(apart, problem.bias.buckets)])
    return number


def by_hand(problem: Problem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One number at a time: no broadcasting, no softmax, no matrix product."""
    seen = seen_by(problem)
    out = torch.zeros(*q.shape[:3], v.shape[3], dtype=q.dtype)
    group = problem.query_heads // problem.key_heads
    _, sink = beside(problem)
    rows = [range(n) for n in out.shape[:3]]
    for b, h, i in ((b, h, i) for b in rows[0] for h in rows[1] for i in rows[2]):
        keys = [j for j in range(problem.key_length) if seen[b, 0, i, j]]
        row = q[b, h, i].tolist()
        scores = [score(problem, (row, k[b, h // group, j].tolist()), h, (i, j)) for j in keys]
        logits = [*scores, *([] if sink is None else [float(sink[h])])]
        exponentials = [math.exp(number - max(logits)) for number in logits]
        total = math.fsum(exponentials)
        for d in range(v.shape[3]):
            terms = (
                e * float(v[b, h // group, j, d])
                for e, j in zip(exponentials[: len(keys)], keys, strict=True)
            )
            out[b, h, i, d] = math.fsum(terms) / total if keys else 0.0
    return out


@pytest.mark.parametrize(
    "text", [text for text in PROBLEMS if "softcap" not in text and "sink" not in text]
)
def test_it_agrees_with_torch_in_float64(text: str) -> None:
    problem = Problem.parse(text)
    q, k, v = inputs(problem)
    bias, _ = beside(problem)
    hidden: Tensor = seen_by(problem)
    if bias is not None:
        positions = torch.arange(problem.query_length) + problem.key_length - problem.query_length
        added = bias.of_pairs(positions[:, None], torch.arange(problem.key_length))
        hidden = added.masked_fill(~hidden, float("-inf"))
    with sdpa_kernel(SDPBackend.MATH):
        expected = scaled_dot_product_attention(
            q, k, v, attn_mask=hidden, scale=problem.softmax_scale, enable_gqa=True
        )
    torch.testing.assert_close(answered(problem, q, k, v), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("text", PROBLEMS)
def test_it_agrees_with_a_loop_over_single_numbers(text: str) -> None:
    problem = Problem.parse(text)
    tensors = inputs(problem)
    expected = by_hand(problem, *tensors)
    torch.testing.assert_close(answered(problem, *tensors), expected, rtol=1e-12, atol=1e-13)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.none() | st.integers(1, 4),
    st.none() | st.integers(0, 3),
    st.sampled_from([None, 0.3, 0.9]),
)
def test_it_agrees_with_the_loop_on_any_mask(
    query_length: int, key_length: int, left: int | None, right: int | None, padding: float | None
) -> None:
    problem = Problem(
        batch=2,
        query_heads=2,
        key_heads=1,
        query_length=query_length,
        key_length=key_length,
        head_dim=2,
        mask=Mask(left, right, padding),
    )
    tensors = inputs(problem)
    expected = by_hand(problem, *tensors)
    torch.testing.assert_close(answered(problem, *tensors), expected, rtol=1e-12, atol=1e-13)


def test_causal_with_equal_lengths_is_what_torch_calls_causal() -> None:
    q, k, v = inputs(Problem.parse("b2 h2 t7 d4"))
    with sdpa_kernel(SDPBackend.MATH):
        expected = scaled_dot_product_attention(q, k, v, is_causal=True)
    out = reference.attention(q, k, v, mask=CAUSAL, scale=0.5)
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_query_that_sees_no_key_gets_zeros(dtype: torch.dtype) -> None:
    problem = Problem.parse("b2 h2 t5/3 d4 causal+padding:0-3/2-2")
    out = answered(problem, *inputs(problem, dtype))
    blind = ~seen_by(problem).any(dim=-1).expand(2, 2, 5)
    assert blind.sum() == 2 * (2 + 5)
    assert (out[blind] == 0).all()
    assert (out[~blind] != 0).any(dim=-1).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_it_computes_in_the_dtype_of_its_inputs(dtype: torch.dtype) -> None:
    problem = Problem.parse("b1 h2 t16 d8 causal")
    out = answered(problem, *inputs(problem, dtype))
    exact = answered(problem, *inputs(problem))
    assert out.dtype == dtype
    error = (out.double() - exact).abs().max().item()
    assert error <= 16 * torch.finfo(dtype).eps
    assert error > 0 or dtype == torch.float64


@pytest.mark.parametrize("text", PROBLEMS)
def test_hidden_keys_and_values_change_nothing(text: str) -> None:
    problem = Problem.parse(text)
    q, k, v = inputs(problem)
    before = answered(problem, q, k, v)
    seen = seen_by(problem)
    for j in range(problem.key_length):
        other_k, other_v = k.clone(), v.clone()
        other_k[:, :, j] = 1e3
        other_v[:, :, j] = -1e3
        same = (answered(problem, q, other_k, other_v) == before).all(dim=-1)
        assert torch.equal(same, ~seen[..., j].expand_as(same))


@pytest.mark.parametrize("size", [1e3, 1e150])
def test_very_large_scores_neither_overflow_nor_vanish(size: float) -> None:
    q = torch.tensor([[[[1.0], [-1.0]]]], dtype=torch.float64)
    k = torch.tensor([[[[size], [2 * size], [-size]]]], dtype=torch.float64)
    v = torch.tensor([[[[1.0], [2.0], [3.0]]]], dtype=torch.float64)
    out = reference.attention(q, k, v, mask=FULL, scale=1.0)
    assert out.flatten().tolist() == [2.0, 3.0]


def test_equal_scores_average_the_values() -> None:
    q, k, v = inputs(Problem.parse("b1 h1 t4 d2"))
    out = reference.attention(torch.zeros_like(q), k, v, mask=CAUSAL, scale=1.0)
    counts = torch.arange(1, 5, dtype=torch.float64)[:, None]
    torch.testing.assert_close(out, v.cumsum(dim=2) / counts, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "b1 h2/1 t3 d2 causal",
        "b2 h1 t4/3 d2 causal+padding:0-3/2-2",
        "b2 h2/1 t4/3 d2 dv3 causal+padding:0-3/2-2 relative:4 softcap2 sink",
    ],
)
def test_its_gradients_are_those_of_finite_differences(text: str) -> None:
    problem = Problem.parse(text)
    tensors = tuple(x.requires_grad_() for x in inputs(problem))
    assert torch.autograd.gradcheck(lambda q, k, v: answered(problem, q, k, v), tensors)


def test_visible_has_a_row_for_every_batch_row_and_query() -> None:
    seen = reference.visible(CAUSAL, torch.arange(3), torch.arange(1, 3), torch.arange(4))
    rows = [[True, True, False, False], [True, True, True, False]]
    assert seen.tolist() == [[rows]] * 3


def test_weights_sum_to_one_or_to_zero() -> None:
    scores = torch.tensor([[0.0, 1e30, -1e30], [-torch.inf] * 3, [-torch.inf, -5.0, -5.0]])
    sums = reference.weights(scores).sum(dim=-1)
    assert sums.tolist() == [1.0, 0.0, 1.0]


def test_a_sink_takes_its_part_of_the_sum_and_carries_no_value() -> None:
    q, k, v = inputs(Problem.parse("b1 h2 t3 d2"))
    without = reference.attention(0 * q, k, v, mask=FULL, scale=1.0)
    sink = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    out = reference.attention(0 * q, k, v, mask=FULL, scale=1.0, sink=sink)
    torch.testing.assert_close(out, without * torch.tensor([3 / 4, 3 / 6])[:, None, None])
    nothing = torch.tensor([-torch.inf, -1e300], dtype=torch.float64)
    assert torch.equal(
        reference.attention(q, k, v, mask=FULL, scale=1.0, sink=nothing),
        reference.attention(q, k, v, mask=FULL, scale=1.0),
    )


def test_a_softcap_keeps_scores_within_it_and_bends_small_ones_little() -> None:
    products = torch.tensor([[-1e9, -1e-3, 0.0, 1e-3, 1e9]], dtype=torch.float64)
    seen = torch.ones(1, 5, dtype=torch.bool)
    capped = reference.scores(products, seen=seen, softcap=30.0)
    assert capped.abs().max() <= 30
    torch.testing.assert_close(capped[:, 1:4], products[:, 1:4], rtol=1e-8, atol=0)


def test_a_bias_is_added_after_the_cap_and_never_to_what_is_hidden() -> None:
    products, added = torch.tensor([[1e9, 1e9]]), torch.tensor([[100.0, 100.0]])
    made = reference.scores(products, seen=torch.tensor([[True, False]]), softcap=5.0, added=added)
    assert made.tolist() == [[105.0, -math.inf]]
