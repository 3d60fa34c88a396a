"""The layer against torch's own, and against the definition written out around the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impls import reference
from impls.chunked import chunked
from impls.interface import CAUSAL, FULL, AttentionFunction, Implementation, Mask, Problem
from impls.interface.implementation import from_function
from impls.interface.positions import rotated, with_sinusoids
from impls.multi_head import (
    MultiHeadAttention,
    multi_head,
    orthogonal_projections,
    torch_multi_head,
)
from impls.naive import naive
from impls.sdpa import sdpa_flash
from suites.agreement.checker import Checker
from suites.measure.inputs import bind, make_inputs

LENGTHS = ("1", "7", "33", "33/129", "129/33")
MASKS = ("full", "causal", "window:5", "window:5:3", "window:*:3", "window:70:*")
SAME_HEADS = [f"b2 h4 t{lengths} d8 {mask}" for lengths in LENGTHS for mask in MASKS]
PROBLEMS = [
    *SAME_HEADS,
    *(f"b2 h4/2 t{lengths} d8 causal" for lengths in LENGTHS),
    "b2 h4/1 t33 d8 window:5 scale0.7",
    "b2 h4/2 t33 d8 causal bthd",
]
DEFINED = replace(multi_head, inner=from_function(reference.attention))
"""The layer, which is tested by itself below, around the definition."""


def inputs(problem: Problem) -> list[Tensor]:
    p, generator = problem, torch.Generator().manual_seed(7)
    drawn = []
    for heads, length in ((p.query_heads, p.query_length), *((p.key_heads, p.key_length),) * 2):
        shape = (p.batch, heads, length, p.head_dim)
        x = torch.randn(shape, dtype=torch.float64, generator=generator)
        strided = x.transpose(1, 2).contiguous().transpose(1, 2) if p.layout == "bthd" else x
        drawn.append(strided.requires_grad_())
    return drawn


def by_hand(problem: Problem, x: list[Tensor]) -> Tensor:
    """The layer head by head, from columns of the weights and no reshaping of ours."""
    p, size = problem, problem.head_dim
    merged = [torch.cat(each.unbind(1), dim=-1) for each in x]
    widths = (merged[0].shape[2], merged[1].shape[2])
    wq, wk, wv, wo = orthogonal_projections(*widths)
    group = p.query_heads // p.key_heads
    out = torch.zeros_like(merged[0])
    for head in range(p.query_heads):
        mine, shared = (slice(h * size, (h + 1) * size) for h in (head, head // group))
        projected = (
            merged[0] @ wq[:, mine],
            merged[1] @ wk[:, shared],
            merged[2] @ wv[:, shared],
        )
        q, k, v = (each[:, None] for each in projected)
        attended = reference.attention(q, k, v, mask=p.mask, scale=p.softmax_scale)
        out = out + attended[:, 0] @ wo[mine]
    return torch.stack(out.chunk(p.query_heads, dim=-1), dim=1)


def agrees(function: AttentionFunction, problem: Problem) -> None:
    x = inputs(problem)
    got, wanted = function(*x), by_hand(problem, x)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)
    grad = torch.ones_like(got).cumsum(-1)
    for mine, theirs in zip(
        torch.autograd.grad(got, x, grad), torch.autograd.grad(wanted, x, grad), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-11)


@pytest.mark.parametrize("inner", [naive, sdpa_flash, chunked], ids=str)
@pytest.mark.parametrize("text", PROBLEMS)
def test_the_layer_is_projections_around_the_definition(text: str, inner: Implementation) -> None:
    problem = Problem.parse(text)
    layer = replace(multi_head, inner=inner)
    agrees(layer.bound(mask=problem.mask, scale=problem.softmax_scale), problem)


@pytest.mark.parametrize("text", SAME_HEADS)
def test_the_layer_of_torch_is_the_same_with_the_same_weights(text: str) -> None:
    problem = Problem.parse(text)
    agrees(torch_multi_head.bound(mask=problem.mask, scale=problem.softmax_scale), problem)


@pytest.mark.parametrize("text", ["full", "causal", "window:5"])
def test_no_fast_path_of_torch_forgets_the_mask(text: str) -> None:
    problem = Problem.parse(f"b2 h4 t33 d8 {text}")
    x = inputs(problem)[0].detach()
    call = torch_multi_head.bound(mask=problem.mask, scale=problem.softmax_scale)
    with torch.inference_mode():
        got = call(x, x, x)
    torch.testing.assert_close(got, by_hand(problem, [x, x, x]), rtol=0, atol=1e-12)


def test_queries_without_keys_give_zeros_in_the_layer_of_torch_too() -> None:
    problem = Problem.parse("b1 h2 t20/7 d4 window:5:3")
    out = torch_multi_head.bound(mask=problem.mask, scale=problem.softmax_scale)(*inputs(problem))
    assert (out[:, :, :10] == 0).all()
    assert (out[:, :, 10:] != 0).any(-1).all()


@pytest.mark.parametrize("layer", [replace(multi_head, inner=chunked), torch_multi_head], ids=str)
def test_what_is_kept_from_inference_serves_training(layer: Implementation) -> None:
    problem = Problem.parse("b1 h3 t6 d4 window:2")
    orthogonal_projections.cache_clear()
    call = layer.bound(mask=problem.mask, scale=problem.softmax_scale)
    x = inputs(problem)
    with torch.inference_mode():
        call(*x)
    gradients = torch.autograd.grad(call(*x).sum(), x)
    assert all(gradient.any() for gradient in gradients)


def test_projections_are_orthogonal_and_the_same_every_time() -> None:
    first = orthogonal_projections(24, 8)
    orthogonal_projections.cache_clear()
    for size, weight, again in zip(
        (24, 8, 8, 24), first, orthogonal_projections(24, 8), strict=True
    ):
        torch.testing.assert_close(weight @ weight.T, torch.eye(size, dtype=torch.float64))
        assert torch.equal(weight, again)
    assert not torch.equal(first[1], first[2])


def test_the_module_is_the_layer_of_torch_with_the_same_weights() -> None:
    torch.manual_seed(0)
    mine = MultiHeadAttention(24, (3, 3), naive.bound).double()
    theirs = nn.MultiheadAttention(24, 3, bias=False, batch_first=True, dtype=torch.float64)
    weights = {
        "in_proj_weight": torch.cat((mine.wq.T, mine.wk.T, mine.wv.T)),
        "out_proj.weight": mine.wo.T,
    }
    theirs.load_state_dict(weights)
    x = torch.randn(2, 9, 24, dtype=torch.float64, requires_grad=True)
    context = torch.randn(2, 9, 24, dtype=torch.float64)
    hidden = torch.ones(9, 9).triu(1).bool()
    got, wanted = mine(x, context, mask=CAUSAL), theirs(x, context, context, attn_mask=hidden)[0]
    torch.testing.assert_close(got, wanted)
    grad = torch.randn_like(got)
    mine_grads = torch.autograd.grad(got, (x, mine.wq, mine.wk, mine.wv, mine.wo), grad)
    dx, stacked, dout = torch.autograd.grad(
        wanted, (x, theirs.in_proj_weight, theirs.out_proj.weight), grad
    )
    rows = (dx, *(each.T for each in stacked.chunk(3)), dout.T)
    for a, b in zip(mine_grads, rows, strict=True):
        torch.testing.assert_close(a, b)


def test_fewer_key_heads_are_their_copies_under_as_many_heads() -> None:
    torch.manual_seed(0)
    few = MultiHeadAttention(16, (4, 2), chunked.bound).double()
    many = MultiHeadAttention(16, (4, 4), chunked.bound).double()
    copied = {
        name: torch.unflatten(getattr(few, name), 1, (2, 4)).repeat_interleave(2, 1).flatten(1)
        for name in ("wk", "wv")
    }
    many.load_state_dict({"wq": few.wq, "wo": few.wo, **copied})
    x = torch.randn(2, 9, 16, dtype=torch.float64)
    torch.testing.assert_close(few(x), many(x))


@pytest.mark.parametrize("distance", [0, 1, 5])
def test_rotated_rows_know_their_distance_alone(distance: int) -> None:
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    scores = [
        (rotated(q, first + distance) @ rotated(k, first).mT).item() for first in (0, 3, 1000)
    ]
    assert scores == pytest.approx([scores[0]] * 3)
    assert scores[0] == pytest.approx((rotated(q, distance) @ k.mT).item())


def test_rows_are_turned_by_their_positions_and_keep_their_lengths() -> None:
    x = torch.tensor([[1.0, 0.0, 0.0, 2.0]], dtype=torch.float64).expand(1, 1, 3, 4)
    angle = torch.arange(3, dtype=torch.float64)
    slow = angle / 100
    wanted = torch.stack((angle.cos(), angle.sin(), -2 * slow.sin(), 2 * slow.cos()), dim=-1)
    torch.testing.assert_close(rotated(x)[0, 0], wanted)


def test_a_rotary_layer_sees_no_shift_of_the_whole_sequence() -> None:
    torch.manual_seed(0)
    layer = MultiHeadAttention(16, (2, 2), naive.bound, positions="rotary").double()
    plain = MultiHeadAttention(16, (2, 2), naive.bound).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(1, 12, 16, dtype=torch.float64)
    near = Mask(left=3, right=0)
    torch.testing.assert_close(layer(x, mask=near)[:, 6:], layer(x[:, 4:], mask=near)[:, 2:])
    # The last rows stand at the last keys, here as in the masks.
    torch.testing.assert_close(layer(x[:, 8:], x), layer(x)[:, 8:])
    assert not torch.allclose(layer(x), plain(x))


def test_sinusoids_are_sines_and_cosines_of_the_position() -> None:
    x = torch.ones(1, 3, 5, dtype=torch.float64)
    turned = torch.arange(2, 5, dtype=torch.float64)[:, None] * 10_000.0 ** (
        -torch.tensor([0.0, 0.4, 0.8], dtype=torch.float64)
    )
    wanted = torch.stack((turned.sin(), turned.cos()), -1).flatten(1)[:, :5]
    torch.testing.assert_close(with_sinusoids(x, 2)[0], 1 + wanted)


def test_a_sinusoidal_layer_is_the_layer_on_activations_with_sinusoids() -> None:
    torch.manual_seed(0)
    layer = MultiHeadAttention(16, (4, 2), naive.bound, positions="sinusoidal").double()
    plain = MultiHeadAttention(16, (4, 2), naive.bound).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 12, 16, dtype=torch.float64)
    torch.testing.assert_close(layer(x, mask=CAUSAL), plain(with_sinusoids(x), mask=CAUSAL))
    # The last rows stand at the last keys, here as in the masks.
    torch.testing.assert_close(layer(x[:, 8:], x), layer(x)[:, 8:])


def ignoring_positions(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, inner: Any, positions: str
) -> Tensor:
    del positions
    layer: Tensor = multi_head.function(q, k, v, mask=mask, scale=scale, inner=inner)
    return layer


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])
@pytest.mark.parametrize(
    "text",
    [
        "h4/2 t33 d8 causal",
        "b2 h4 t9/33 d8 full train",
        "h2 t33/9 d8 causal train",
        "h2 t600 d8 causal bf16",
        "h2 t700 d8 window:64 train",
    ],
)
def test_a_layer_with_positions_is_compared_with_a_definition_of_its_own(
    positions: str, text: str
) -> None:
    chosen = replace(multi_head.choosing(positions=positions), inner=sdpa_flash)
    plain = replace(multi_head, inner=sdpa_flash)
    assert (plain.panel, chosen.panel) == ("layers", f"layers with {positions} positions")
    problem = Problem.parse(text)
    checker = Checker(problem, seed=0)
    assert not checker.check(plain).fault
    assert not checker.check(chosen).fault
    wrong = replace(chosen, function=ignoring_positions)
    assert Checker(problem, seed=0).check(wrong).fault  # hard inputs are remembered by name


@pytest.mark.parametrize(
    ("width", "heads", "positions", "words"),
    [
        (10, (3, 3), "none", "width 10 in 3 heads over 3 key heads; expected a width that divides"),
        (12, (4, 3), "none", "width 12 in 4 heads over 3 key heads; expected a width that divides"),
        (9, (3, 3), "rotary", "rotary: head dimension 3, expected an even one"),
        (8, (2, 2), "turned", "positions 'turned'; expected one of none, rotary, sinusoidal"),
    ],
)
def test_sizes_and_positions_that_make_no_sense_are_refused_in_words(
    width: int,
    heads: tuple[int, int],
    positions: str,
    words: str,
) -> None:
    with pytest.raises(ValueError, match=words):
        MultiHeadAttention(width, heads, naive.bound, positions=positions)


BESIDE = [
    "b3 h4 t33 d8 padding:0.5",
    "b3 h4 t9/33 d8 causal+padding:0-0/0-20/13-33",
    "b3 h4 t33/9 d8 window:5:3+padding:0.5",
    "b2 h4 t33 d8 documents:10/23",
    "b3 h4 t33 d8 causal+padding:0.5+documents:10/23",
    "b2 h4 t33/9 d8 causal alibi",
    "b3 h4 t9/33 d8 relative:8",
    "b3 h4 t33/9 d8 causal+padding:0.5 dense",
    "b3 h4 t33 d8 window:5+padding:0-0/0-20/13-33 relative:8",
]


@pytest.mark.parametrize("text", [*BESIDE, "b2 h4 t33 d8 causal softcap2 sink"])
@pytest.mark.parametrize(
    "layer",
    [*(replace(multi_head, inner=each) for each in (naive, sdpa_flash, chunked)), torch_multi_head],
    ids=str,
)
def test_what_is_optional_reaches_the_attention_in_the_layer_or_is_refused(
    text: str, layer: Implementation
) -> None:
    problem = Problem.parse(f"{text} fp64 train")
    if "softcap" in text and layer.name == "torch_multi_head":
        assert layer.refusals(problem) == (
            "softcap 2.0: takes scores as they are",
            "sink: takes a softmax over the keys alone",
        )
    elif "softcap" in text and layer.inner is sdpa_flash:
        assert layer.refusals(problem) == (
            "inner softcap 2.0: takes scores as they are",
            "inner sink: takes a softmax over the keys alone",
        )
    else:
        assert layer.refusals(problem) == ()
        given = make_inputs(problem, purpose="test")
        x = [each.requires_grad_() for each in (given.q, given.k, given.v)]
        assert given.grad is not None
        out, wanted = (bind(each, problem, given)(*x) for each in (layer, DEFINED))
        torch.testing.assert_close(out, wanted, rtol=0, atol=1e-12)
        for mine, theirs in zip(
            torch.autograd.grad(out, x, given.grad),
            torch.autograd.grad(wanted, x, given.grad),
            strict=True,
        ):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-11)


def test_the_layer_refuses_what_its_inner_attention_refuses() -> None:
    problem = Problem.parse("b1 h2 t8 d64 documents:4x2 bf16 cuda")
    assert replace(multi_head, inner=chunked).refusals(problem) == ()
    assert replace(multi_head, inner=sdpa_flash).refusals(problem) == (
        "inner mask documents: takes full, causal",
    )


def test_values_are_as_wide_as_queries_in_a_layer() -> None:
    problem = Problem.parse("dv32")
    words = "value dimension 32: takes the head dimension only"
    assert replace(multi_head, inner=chunked).refusals(problem) == (words,)
    assert torch_multi_head.refusals(problem) == (words,)


def test_the_layer_of_torch_refuses_grouped_heads_and_a_scale() -> None:
    assert torch_multi_head.refusals(Problem(mask=FULL, training=True)) == ()
    assert torch_multi_head.refusals(Problem.parse("h4/2 scale0.7")) == (
        "4 query heads over 2 key heads: needs as many of both",
        "scale 0.7: takes 1/sqrt(D) only",
    )
