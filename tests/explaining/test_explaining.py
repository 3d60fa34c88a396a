"""Explanations compute what the reference computes, step by step."""

from __future__ import annotations

from math import inf, prod

import pytest
import torch

from impls import reference
from impls.interface import Problem
from suites.explaining import chunked, local_window, multi_head, naive
from suites.explaining.choosing import USUAL, explain
from suites.explaining.problem import MOST_POSITIONS, Explained, explained
from suites.explaining.steps import DenseSoftmax, Layer, OnlineSoftmax, Strips

PROBLEMS = (
    "b1 h1 t12 d8 causal",
    "b1 h1 t12 d8 full",
    "b2 h4/2 t7/20 d8 causal alibi",
    "b2 h4/2 t7/20 d8 causal dense",
    "b1 h2 t12 d8 window:3:2 relative:8 softcap5.0",
    "b1 h1 t12 d8 causal sink",
    "b2 h1 t12 d8 causal+padding:0.5",
    "b1 h1 t12 d8 documents:4x3 dv5",
    "b1 h1 t12/5 d8 causal",
)


def right(of: Explained) -> torch.Tensor:
    """The output of the reference for the first head, [Tq, Dv]."""
    problem, inputs = of.problem, of.inputs
    out = reference.attention(
        inputs.q,
        inputs.k,
        inputs.v,
        mask=problem.mask.resolved(problem.batch, problem.key_length),
        scale=problem.softmax_scale,
        bias=inputs.bias,
        softcap=problem.softcap,
        sink=inputs.sink,
    )
    return out[0, 0]


@pytest.mark.parametrize("text", PROBLEMS)
@pytest.mark.parametrize("block", [1, 3, 5, 64])
def test_the_online_softmax_gives_the_references_output(text: str, block: int) -> None:
    of = explained(Problem.parse(text))
    for query, row in enumerate(right(of)):
        walk = chunked.walk(of, query, block)
        torch.testing.assert_close(row, torch.tensor(walk.output).double(), rtol=0, atol=1e-6)
        assert max(abs(x - float(y)) for x, y in zip(walk.output, row, strict=True)) < 1e-13
        assert walk.difference < 1e-13


@pytest.mark.parametrize("text", PROBLEMS)
def test_the_definition_gives_the_references_output(text: str) -> None:
    of = explained(Problem.parse(text))
    found = naive.walk(of, 0)
    made = torch.tensor(found.output, dtype=torch.float64)
    torch.testing.assert_close(made, right(of), rtol=0, atol=1e-13)
    for row, (start, end) in zip(found.weights, found.visible, strict=True):
        assert not any(row[:start])
        assert not any(row[end:])


def test_the_running_values_are_those_of_the_keys_read_so_far() -> None:
    of = explained(Problem.parse(USUAL["chunked"]))
    walk = chunked.walk(of, 11, 4)
    scores = of.scores(11)
    for step in walk.steps:
        read = scores[: step.end]
        assert step.maximum == float(read.max())
        assert step.sum == pytest.approx(float(torch.exp(read - read.max()).sum()))
        assert step.weights == pytest.approx(torch.softmax(read, 0).tolist())
    factors = [step.factor for step in walk.steps]
    assert factors[0] == 0.0
    assert all(0 < each < 1 for each in factors[1:]), "the usual problem has to show rescaling"


def test_a_block_without_a_visible_key_is_skipped() -> None:
    walk = chunked.walk(explained(Problem.parse("t12 d8 documents:4x3")), 7, 4)
    first, second, third = walk.steps
    assert first.largest == third.largest == -inf
    assert (first.sum, third.factor, third.sum) == (0.0, 1.0, second.sum)
    assert third.output == second.output


@pytest.mark.parametrize("text", ["t24 d8 window:6", "t20/24 d8 window:4:3", "t24 d8 window:1"])
@pytest.mark.parametrize("block", [1, 4, 7])
def test_strips_hold_every_visible_key(text: str, block: int) -> None:
    found = local_window.walk(explained(Problem.parse(text)), block)
    for query, (start, end) in enumerate(found.visible):
        first, last = found.strips[query // block]
        assert first <= start
        assert end <= last
    longest = sum(found.reach) + block
    assert max(last - first for first, last in found.strips) <= longest


def test_blocks_of_one_query_waste_no_score() -> None:
    found = local_window.walk(explained(Problem.parse("t24 d8 window:6")), 1)
    assert found.strips == found.visible


def test_the_shapes_of_the_layer_are_those_of_torchs() -> None:
    found = multi_head.walk(Problem.parse("b2 h4 t10 d8 full"))
    layer = torch.nn.MultiheadAttention(32, 4, bias=False)
    weights = sum(each.numel() for each in layer.parameters())
    assert sum(step.parameters for step in found.steps) == weights
    assert found.steps[0].shape == found.steps[-1].shape == (2, 10, 32)
    split = next(step for step in found.steps if step.name == "split queries")
    assert prod(split.shape) == prod(found.steps[1].shape)


def test_the_flops_of_the_attention_are_the_problems() -> None:
    problem = Problem.parse("b2 h4/2 t10 d8 dv6 full")
    flops = {step.name: step.flops for step in multi_head.walk(problem).steps}
    assert flops["scores"] + flops["heads"] == problem.flops


def test_every_method_is_explained_on_its_usual_problem() -> None:
    kinds = [type(explain(name, None, None, None)) for name in USUAL]
    assert kinds == [OnlineSoftmax, DenseSoftmax, Strips, Layer]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chunkd", None, None, None), r"no explanation of 'chunkd'; did you mean 'chunked'\?"),
        (("flex", None, None, None), "expected one of chunked, naive, local_window, multi_head"),
        (("naive", None, 4, None), "--block 4 beside naive; only chunked and local_window"),
        (("multi_head", None, None, 3), "--query 3 beside multi_head; only chunked and naive"),
        (("chunked", None, None, 12), "--query is 12, the problem has queries 0 to 11"),
        (("chunked", "t12 train", None, None), "is in training; an explanation is of a forward"),
        (("naive", "t300", None, None), f"has 300 positions.*at most {MOST_POSITIONS}"),
        (("local_window", "t12 causal", None, None), "the mask causal has no window; expected one"),
        (("chunked", "12 tokens", None, None), "not understood"),
    ],
)
def test_what_cannot_be_explained_is_said(
    words: tuple[str, str | None, int | None, int | None], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        explain(*words)
