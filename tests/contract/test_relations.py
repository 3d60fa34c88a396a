"""Relations between calls that hold without a reference, and masks of other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import pytest
import torch
from torch import Tensor

import impls
from impls.interface import CAUSAL, Bias, BiasValues, Implementation, Mask, Problem
from impls.interface.rows import slices
from suites.agreement.bounds.by_trial import bounds_by_trial
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.gate import judge
from suites.measure.inputs import Inputs, bind, call_of, make_inputs
from tests.contract.found import KNOWN, QUICK

HERE = [
    each
    for each in QUICK
    if not each.approximates and any("cpu" in limits.devices for limits in each.limits)
]
EVERY = pytest.mark.parametrize("each", HERE, ids=str)
BY_HEAD = pytest.mark.parametrize("each", [e for e in HERE if not e.projections], ids=str)
"""Without layers: projections mix heads, so that relations between heads do not hold."""
PASSES = pytest.mark.parametrize("words", ["", "train", "bf16", "bf16 train"])
Tensors = Sequence[Tensor]
Cut = Callable[[Tensor], Tensor]


def within_reach(each: Implementation, *texts: str) -> list[Problem]:
    """The problems that an implementation accepts; the test is skipped if it accepts none."""
    problems = [Problem.parse(text) for text in texts]
    able = [problem for problem in problems if not each.refusals(problem)]
    if not able:
        pytest.skip(f"refused: {'; '.join(each.refusals(problems[0]))}")
    return able


def inputs_of(problem: Problem) -> Inputs:
    return make_inputs(problem, purpose="relation")


def answer(each: Implementation, problem: Problem, inputs: Inputs) -> tuple[Tensor, ...]:
    """`out`, and in training dq, dk and dv."""
    assert not each.refusals(problem), (str(each), str(problem))
    return call_of(bind(each, problem, inputs), inputs)()


def apart(
    each: Implementation, problem: Problem, inputs: Inputs, got: Tensors, wanted: Tensors
) -> str:
    """How two results of one problem differ by more than rounding; empty if they do not.

    The gate accepts twice the rounding bound, and each result is within one bound.
    """
    if all(map(torch.equal, got, wanted)):
        return ""
    if each.reference is not None:
        expected = bounds_by_trial(each.reference, problem, inputs, None)
    else:
        expected = derived_bounds(problem, inputs, rows=None, projections=each.projections)
    names = ("out", "dq", "dk", "dv")[: len(wanted)]
    values = {name: tensor.double() for name, tensor in zip(names, wanted, strict=True)}
    return judge(got, replace(expected, values=values))[1]


def taken(
    inputs: Inputs, queries: Callable[[Tensor], Tensor], keys: Callable[[Tensor], Tensor]
) -> Inputs:
    """The inputs with one function applied to q and its gradient, another to k and v."""
    grad = None if inputs.grad is None else queries(inputs.grad).contiguous()
    q, k, v = queries(inputs.q), keys(inputs.k), keys(inputs.v)
    return replace(inputs, q=q.contiguous(), k=k.contiguous(), v=v.contiguous(), grad=grad)


def part(*index: Any) -> Cut:
    """A function that returns this part of a tensor."""
    return lambda x: x[index]


ALL = slice(None)


@PASSES
@EVERY
def test_permuted_batch_rows_give_permuted_outputs(each: Implementation, words: str) -> None:
    order = [2, 0, 1]
    ranges = ((0, 40), (9, 65), (0, 65))
    for problem in within_reach(
        each,
        f"b3 h4 t65 d16 causal {words}",
        f"b3 h4 t65 d16 window:9 {words}",
        f"b3 h4/2 t33/65 d16 full {words}",
        f"b3 h4 t65 d16 padding:0-40/9-65/0-65 {words}",
    ):
        inputs = inputs_of(problem)
        other = problem
        if problem.mask.padding:
            other = replace(problem, mask=Mask(padding=tuple(ranges[row] for row in order)))
        moved = taken(inputs, part(order), part(order))
        wanted = [tensor[order] for tensor in answer(each, problem, inputs)]
        assert apart(each, other, moved, answer(each, other, moved), wanted) == "", problem


@PASSES
@BY_HEAD
def test_permuted_heads_give_permuted_outputs(each: Implementation, words: str) -> None:
    keys = [2, 0, 1]
    for problem in within_reach(
        each,
        f"b2 h3 t65 d16 causal {words}",
        f"b2 h3 t65 d16 window:9 {words}",
        f"b2 h6/3 t33/65 d16 full {words}",
        f"b2 h6/3 t65 d16 causal alibi sink {words}",
        f"b2 h6/3 t65 d16 window:9 relative:8 {words}",
    ):
        group = problem.query_heads // problem.key_heads
        queries = [key * group + i for key in keys for i in range(group)]
        inputs = inputs_of(problem)
        moved = taken(inputs, part(ALL, queries), part(ALL, keys))
        if inputs.bias is not None:
            values = BiasValues(inputs.bias.kind, inputs.bias.values[queries])
            moved = replace(moved, bias=values)
        if inputs.sink is not None:
            moved = replace(moved, sink=inputs.sink[queries])
        wanted = [
            tensor[:, keys if place > 1 else queries]
            for place, tensor in enumerate(answer(each, problem, inputs))
        ]
        assert apart(each, problem, moved, answer(each, problem, moved), wanted) == "", problem


@PASSES
@EVERY
@pytest.mark.parametrize("lengths", ["65", "33/65", "65/33"])
def test_a_window_as_wide_as_the_sequence_hides_no_key(
    each: Implementation, lengths: str, words: str
) -> None:
    (problem,) = within_reach(each, f"b2 h4 t{lengths} d16 window:65 {words}")
    inputs = inputs_of(problem)
    found = answer(each, problem, inputs)
    for mask in (Mask(left=500, right=0), CAUSAL):
        other = replace(problem, mask=mask)
        if not each.refusals(other):
            assert apart(each, other, inputs, answer(each, other, inputs), found) == "", other
    both, full = (replace(problem, mask=mask) for mask in (Mask(left=65, right=65), Mask()))
    if not each.refusals(full):
        wanted = answer(each, full, inputs)
        assert apart(each, both, inputs, answer(each, both, inputs), wanted) == ""


@PASSES
@EVERY
def test_documents_are_separate_calls(each: Implementation, words: str) -> None:
    ends = (0, 10, 33, 65)
    for problem in within_reach(
        each,
        f"b2 h4/2 t65 d16 documents:10/23/32 {words}",
        f"b2 h4/2 t65 d16 causal+documents:10/23/32 {words}",
        f"b2 h4/2 t65 d16 window:9:3+documents:10/23/32 {words}",
        f"b2 h4/2 t65 d16 causal+documents:10/23/32 alibi {words}",
    ):
        inputs = inputs_of(problem)
        band = Mask(problem.mask.left, problem.mask.right)
        parts = []
        for start, end in pairwise(ends):
            own = replace(problem, mask=band, query_length=end - start, key_length=end - start)
            if each.refusals(own):
                own = replace(own, mask=replace(band, documents=(end - start,)))
            rows = part(ALL, ALL, slice(start, end))
            alone = taken(inputs, rows, rows)
            parts.append(answer(each, own, alone))
        wanted = [torch.cat(tensors, dim=2) for tensors in zip(*parts, strict=True)]
        assert apart(each, problem, inputs, answer(each, problem, inputs), wanted) == "", problem


@PASSES
@EVERY
def test_rows_of_a_packed_batch_are_separate_calls(each: Implementation, words: str) -> None:
    for problem in within_reach(
        each,
        f"h4/2 d16 rows:2x1/10+20/33 {words}",
        f"h4/2 d16 causal+rows:2x1/10+20/33+5/5 bthd {words}",
        f"h4/2 d16 window:9:3+rows:4/33+20/33 {words}",
    ):
        inputs, rows = inputs_of(problem), problem.mask.rows or ()
        parts = []
        for (queries, keys), row in zip(slices(rows), rows, strict=True):
            own = replace(
                problem, mask=problem.mask.of_one_row, query_length=row[0], key_length=row[1]
            )
            if each.refusals(own):
                own = replace(own, mask=replace(own.mask, rows=(row,)))
            alone = taken(inputs, part(ALL, ALL, queries), part(ALL, ALL, keys))
            parts.append(answer(each, own, alone))
        wanted = [torch.cat(tensors, dim=2) for tensors in zip(*parts, strict=True)]
        assert apart(each, problem, inputs, answer(each, problem, inputs), wanted) == "", problem


@EVERY
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("band", ["full", "causal", "window:9", "window:9:5"])
def test_padding_is_a_call_without_the_padded_keys(
    each: Implementation, band: str, dtype: str
) -> None:
    """Masks align the last query with the last key.

    So queries are cut off with the keys at the end; a cut at the beginning moves both alike.
    """
    ranges = ((0, 40), (9, 65), (7, 50))
    (problem,) = within_reach(each, f"b3 h4 t65 d16 {band}+padding:0-40/9-65/7-50 {dtype}")
    inputs = inputs_of(problem)
    (found,) = answer(each, problem, inputs)
    for row, (start, end) in enumerate(ranges):
        own = replace(
            problem, batch=1, query_length=end, key_length=end - start, mask=Mask.parse(band)
        )
        if each.refusals(own):
            continue
        own_row = slice(row, row + 1)
        cut = taken(inputs, part(own_row, ALL, slice(end)), part(own_row, ALL, slice(start, end)))
        wanted = answer(each, own, cut)
        assert apart(each, own, cut, [found[row : row + 1, :, :end]], wanted) == "", own


WITH_CHOICES = pytest.mark.parametrize("each", [e for e in HERE if e.choices], ids=str)


@WITH_CHOICES
@pytest.mark.parametrize("words", ["", "bf16 train"])
def test_choices_do_not_change_the_output(each: Implementation, words: str) -> None:
    for problem in within_reach(
        each,
        f"b1 h4/2 t200/300 d16 window:70:30 {words}",
        f"b1 h2 t300 d16 causal {words}",
    ):
        inputs = inputs_of(problem)
        wanted = answer(each, problem, inputs)
        for chosen in each.sweep(tuple(each.choices)):
            if chosen.panel != each.panel:
                continue  # a layer with positions computes another function
            found = answer(chosen, problem, inputs)
            assert apart(each, problem, inputs, found, wanted) == "", (str(chosen), str(problem))


@PASSES
@EVERY
@pytest.mark.parametrize("band", ["full", "causal", "window:9"])
def test_a_bias_of_zeros_is_no_bias(each: Implementation, band: str, words: str) -> None:
    for problem in within_reach(
        each, *(f"b2 h4 t33/65 d16 {band} {bias} {words}" for bias in ("alibi", "relative:8"))
    ):
        inputs = inputs_of(problem)
        assert inputs.bias is not None
        zeros = BiasValues(inputs.bias.kind, torch.zeros_like(inputs.bias.values))
        inputs = replace(inputs, bias=zeros)
        plain, without = replace(problem, bias=Bias()), replace(inputs, bias=None)
        wanted = answer(each, plain, without)
        assert apart(each, problem, inputs, answer(each, problem, inputs), wanted) == "", problem


@PASSES
@EVERY
@pytest.mark.parametrize("band", ["full", "causal", "window:9"])
def test_a_softcap_far_above_the_scores_changes_no_output(
    each: Implementation, band: str, words: str
) -> None:
    (problem,) = within_reach(each, f"b2 h4 t33/65 d16 {band} softcap1e6 {words}")
    inputs = inputs_of(problem)
    wanted = answer(each, replace(problem, softcap=None), inputs)
    assert apart(each, problem, inputs, answer(each, problem, inputs), wanted) == ""


@PASSES
@EVERY
@pytest.mark.parametrize("band", ["full", "causal", "window:9"])
@pytest.mark.parametrize("lengths", ["33/65", "65/33"])
def test_a_sink_far_below_the_scores_changes_no_output(
    each: Implementation, lengths: str, band: str, words: str
) -> None:
    (problem,) = within_reach(each, f"b2 h4 t{lengths} d16 {band} sink {words}")
    inputs = inputs_of(problem)
    assert inputs.sink is not None
    inputs = replace(inputs, sink=torch.full_like(inputs.sink, -1e4))
    wanted = answer(each, replace(problem, sink=False), replace(inputs, sink=None))
    assert apart(each, problem, inputs, answer(each, problem, inputs), wanted) == ""


@PASSES
@BY_HEAD
def test_grouped_heads_are_repeated_heads(each: Implementation, words: str) -> None:
    for problem in within_reach(
        each,
        f"b2 h6/2 t65 d16 causal {words}",
        f"b2 h6/2 t33/65 d16 full {words}",
        f"b2 h6/2 t65 d16 window:9 {words}",
        f"b2 h4/1 t65 d16 causal alibi sink {words}",
    ):
        group = problem.query_heads // problem.key_heads
        inputs = inputs_of(problem)
        shared = [head // group for head in range(problem.query_heads)]
        repeated = taken(inputs, part(ALL), part(ALL, shared))
        other = replace(problem, key_heads=problem.query_heads)
        found = list(answer(each, other, repeated))
        for place, tensor in enumerate(found[2:], start=2):  # dk and dv: a sum over query heads
            found[place] = torch.unflatten(tensor.float(), 1, (-1, group)).sum(2).to(tensor.dtype)
        assert apart(each, problem, inputs, answer(each, problem, inputs), found) == "", problem


@PASSES
@EVERY
def test_the_layout_of_the_memory_does_not_matter(each: Implementation, words: str) -> None:
    for problem in within_reach(
        each,
        f"b2 h4/2 t33/65 d16 full {words}",
        f"b2 h4 t65 d16 causal {words}",
        f"b2 h4 t65 d16 window:9 {words}",
    ):
        inputs = inputs_of(problem)
        strided = [
            x.transpose(1, 2).contiguous().transpose(1, 2) for x in (inputs.q, inputs.k, inputs.v)
        ]
        q, k, v = strided
        other = replace(inputs, q=q, k=k, v=v)
        assert not q.is_contiguous()
        found = answer(each, replace(problem, layout="bthd"), other)
        assert apart(each, problem, inputs, found, answer(each, problem, inputs)) == "", problem


def test_a_difference_beyond_rounding_is_detected() -> None:
    (naive,) = impls.select(["naive"], KNOWN)
    problem = Problem.parse("b2 h4 t65 d16 causal")
    inputs = inputs_of(problem)
    (out,) = answer(naive, problem, inputs)
    assert apart(naive, problem, inputs, [out], [out]) == ""
    assert "out is wrong" in apart(naive, problem, inputs, [out], [out.flip(0)])
    assert "out is wrong" in apart(naive, problem, inputs, [out], [out * 1.001])


# Masks of other libraries, as independent implementations.

TESTED_SIZES: Final = (
    (1, 239), (3, 799), (127, 512), (127, 513), (113, 203), (128, 217), (113, 211), (108, 256),
    (256, 512),
)  # fmt: skip
"""Tq, Tk of FlashAttention's published tests."""
SIZES = (*TESTED_SIZES, (1, 1), (7, 7), (33, 65), (65, 33), (64, 64))
ON_SIZES = pytest.mark.parametrize("sizes", SIZES, ids=lambda s: f"{s[0]}/{s[1]}")
REACHES = ((1, 0), (9, 0), (9, 5), (128, 0), (64, 64))


def seen(mask: Mask, queries: int, keys: int) -> Tensor:
    """The visible pairs of a mask, [Tq, Tk]."""
    rows = torch.arange(queries)[:, None] + keys - queries
    visible: Tensor = mask.visible(0, rows, torch.arange(keys))
    return visible.expand(queries, keys)


@ON_SIZES
def test_causal_is_torchs_lower_right(sizes: tuple[int, int]) -> None:
    from torch.nn.attention.bias import causal_lower_right

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NaN in rows without a key; here they are zeros
        theirs = causal_lower_right(*sizes)._materialize()
    assert torch.equal(seen(CAUSAL, *sizes), theirs)


@ON_SIZES
def test_causal_is_torchs_upper_left_only_where_lengths_are_equal(sizes: tuple[int, int]) -> None:
    from torch.nn.attention.bias import causal_upper_left

    theirs = causal_upper_left(*sizes)._materialize()
    assert torch.equal(seen(CAUSAL, *sizes), theirs) == (sizes[0] == sizes[1])


def of_flex(mask: Mask, sizes: tuple[int, int]) -> Tensor:
    """The same mask by torch's flex_attention, from a function of two indices, [Tq, Tk]."""
    from torch.nn.attention.flex_attention import create_mask

    queries, keys = sizes
    left = keys + queries if mask.left is None else mask.left
    right = keys + queries if mask.right is None else mask.right

    def mask_mod(b: Tensor, h: Tensor, row: Tensor, key: Tensor) -> Tensor:
        distance = row + (keys - queries) - key
        return (distance < left) & (distance >= -right)

    return create_mask(mask_mod, 1, 1, queries, keys, device="cpu")[0, 0]


@ON_SIZES
def test_bands_are_those_of_flex_attention(sizes: tuple[int, int]) -> None:
    bands = (Mask(), CAUSAL, *(Mask(left, right) for left, right in REACHES))
    for mask in bands:
        assert torch.equal(seen(mask, *sizes), of_flex(mask, sizes)), str(mask)


@ON_SIZES
def test_causal_is_what_flex_attentions_scores_leave(sizes: tuple[int, int]) -> None:
    from torch.nn.attention.flex_attention import create_mask

    queries, keys = sizes

    def score_mod(score: Tensor, b: Tensor, h: Tensor, row: Tensor, key: Tensor) -> Tensor:
        ahead = key > row + (keys - queries)
        return torch.where(ahead, -torch.inf, score)

    theirs = create_mask(score_mod, 1, 1, queries, keys, device="cpu")[0, 0]
    assert torch.equal(seen(CAUSAL, *sizes), theirs)


def test_documents_are_those_of_flex_attention() -> None:
    from torch.nn.attention.flex_attention import create_mask

    lengths = (10, 23, 23, 9)
    number = torch.repeat_interleave(torch.arange(4), torch.tensor(lengths))

    def mask_mod(b: Tensor, h: Tensor, row: Tensor, key: Tensor) -> Tensor:
        return (number[row] == number[key]) & (row >= key)

    theirs = create_mask(mask_mod, 1, 1, 65, 65, device="cpu")[0, 0]
    assert torch.equal(seen(Mask(right=0, documents=lengths), 65, 65), theirs)


@pytest.fixture(scope="module")
def xformers_biases() -> Any:
    """The module of xformers' masks; without a GPU its import warns of missing kernels."""
    pytest.importorskip("xformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from xformers.ops.fmha import attn_bias
    return attn_bias


@ON_SIZES
def test_bands_are_those_of_xformers(sizes: tuple[int, int], xformers_biases: Any) -> None:
    lower_right = xformers_biases.LowerTriangularFromBottomRightMask()
    assert torch.equal(seen(CAUSAL, *sizes), lower_right.materialize(sizes) == 0)
    for left, right in REACHES:
        theirs = xformers_biases.LocalAttentionFromBottomRightMask(
            window_left=left - 1, window_right=right
        )
        assert torch.equal(seen(Mask(left, right), *sizes), theirs.materialize(sizes) == 0)


def test_documents_are_those_of_xformers(xformers_biases: Any) -> None:
    lengths = (10, 23, 23, 9)
    for mask, theirs in (
        (Mask(documents=lengths), xformers_biases.BlockDiagonalMask),
        (Mask(right=0, documents=lengths), xformers_biases.BlockDiagonalCausalMask),
    ):
        made = theirs.from_seqlens(list(lengths)).materialize((65, 65))
        assert torch.equal(seen(mask, 65, 65), made == 0)


WORDS: Final = ("causal", "window:9", "window:9:8", "causal+padding:0.4", "documents:13x5")


@pytest.mark.parametrize("words", WORDS)
def test_masks_are_those_of_transformers(words: str) -> None:
    theirs = pytest.importorskip("transformers.masking_utils")

    mask = Mask.parse(words).resolved(2, 65)
    padded = torch.stack([mask.visible(b, 64, torch.arange(65)) for b in range(2)])
    their_mask = {
        "causal": theirs.causal_mask_function,
        "window:9": theirs.sliding_window_causal_mask_function(9),
        "window:9:8": theirs.sliding_window_bidirectional_mask_function(8),
        "causal+padding:0.4": theirs.and_masks(
            theirs.causal_mask_function, theirs.padding_mask_function(padded)
        ),
        "documents:13x5": theirs.packed_sequence_mask_function(
            torch.arange(5).repeat_interleave(13).expand(2, 65)
        ),
    }[words]
    b, row, key = torch.arange(2)[:, None, None], torch.arange(65)[:, None], torch.arange(65)
    ours = torch.stack([mask.visible(each, row, key).expand(65, 65) for each in range(2)])
    assert torch.equal(ours, torch.as_tensor(their_mask(b, 0, row, key)).expand(2, 65, 65))
