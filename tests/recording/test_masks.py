"""Masks that came as tensors: recognised exactly, or not at all."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from impls.interface import Mask
from suites.recording.site.attnbench_recorder.masks import Masks, recognised

B, H = 2, 4
MASKS = [
    ("full", 16, 16), ("causal", 16, 16), ("causal", 5, 16), ("causal", 1, 16),
    ("window:4", 16, 16), ("window:4", 1, 16), ("window:4:2", 16, 16), ("window:4:*", 16, 16),
    ("window:*:3", 16, 16), ("padding:0-10/3-16", 16, 16), ("padding:0-10/3-16", 1, 16),
    ("causal+padding:0-10/0-16", 16, 16), ("causal+padding:6-16/0-16", 16, 16),
    ("window:4+padding:6-16/0-16", 16, 16), ("documents:4x2/8", 16, 16),
    ("causal+documents:4/5/7", 16, 16), ("window:3+documents:6/10", 16, 16),
    ("documents:3/9/4+padding:0-12/0-12", 16, 16), ("causal+padding:0-7/0-7", 4, 16),
]  # fmt: skip


def mask_of(found: object) -> Mask:
    names = ("left", "right", "padding", "documents", "rows")
    return Mask(**{name: getattr(found, name) for name in names})


@pytest.mark.parametrize(("text", "queries", "keys"), MASKS)
@pytest.mark.parametrize("form", ["bool", "-inf", "finfo.min", "-1e4"])
def test_a_mask_of_the_grammar_is_recognised(text: str, queries: int, keys: int, form: str) -> None:
    mask = Mask.parse(text)
    dense = mask.dense(B, queries, keys, torch.device("cpu"))
    hidden = {"-inf": -torch.inf, "finfo.min": torch.finfo(torch.float32).min}.get(form, -1e4)
    given = dense if form == "bool" else torch.zeros(dense.shape).masked_fill(~dense, hidden)
    found = recognised(given, (B, H, queries, keys))
    assert found.reason == ""
    again = mask_of(found).dense(B, queries, keys, torch.device("cpu"))
    assert torch.equal(again.expand(B, 1, queries, keys), dense.expand(B, 1, queries, keys))


@pytest.mark.parametrize(("text", "queries", "keys"), [m for m in MASKS if m[1] == m[2]])
def test_a_mask_of_equal_lengths_gets_its_own_text(text: str, queries: int, keys: int) -> None:
    dense = Mask.parse(text).dense(B, queries, keys, torch.device("cpu"))
    expected = {"documents:3/9/4+padding:0-12/0-12": "padding:0-12/0-12+documents:3/9/4"}
    assert str(mask_of(recognised(dense, (B, H, queries, keys)))) == expected.get(text, text)


@settings(max_examples=60, deadline=None)
@given(some.integers(0, 2**16 - 1), some.integers(1, 4), some.integers(1, 4))
def test_what_is_recognised_is_what_was_given(bits: int, queries: int, keys: int) -> None:
    values = [bool(bits >> place & 1) for place in range(queries * keys)]
    dense = torch.tensor(values).reshape(queries, keys)
    found = recognised(dense, (1, 1, queries, keys))
    if not found.reason:
        again = mask_of(found).dense(1, queries, keys, torch.device("cpu"))
        assert torch.equal(again.expand(1, 1, queries, keys)[0, 0], dense)


def test_a_mask_with_holes_is_dense() -> None:
    mask = torch.ones(8, 8, dtype=torch.bool)
    mask[3, 4] = False
    assert recognised(mask, (B, H, 8, 8)).reason == "dense mask"


def test_heads_with_masks_of_their_own_are_named() -> None:
    mask = torch.ones(1, H, 8, 8, dtype=torch.bool)
    mask[0, 1] = mask[0, 1].tril()
    assert recognised(mask, (B, H, 8, 8)).reason == "a mask for each head"


def test_a_learnt_bias_is_dense() -> None:
    bias = torch.randn(1, H, 8, 8, generator=torch.Generator().manual_seed(0))
    assert recognised(bias, (B, H, 8, 8)).reason == "dense bias"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_alibi_is_recognised_with_its_mask(dtype: torch.dtype, *, causal: bool) -> None:
    place = torch.arange(16)
    slopes = 2.0 ** -torch.arange(1, H + 1)
    bias = -(slopes[:, None, None] * (place[:, None] - place).abs()).to(dtype)
    if causal:
        bias = bias.masked_fill(place[:, None] < place, -torch.inf)
    found = recognised(bias[None], (B, H, 16, 16))
    assert (found.bias, found.right, found.reason) == ("alibi", 0 if causal else None, "")


def test_a_bias_that_is_nearly_alibi_is_dense() -> None:
    place = torch.arange(16)
    bias = -(0.5 * (place[:, None] - place).abs()).expand(1, H, 16, 16).clone()
    bias[0, 2, 7, 3] += 0.01
    assert recognised(bias, (B, H, 16, 16)).reason == "dense bias"


def test_a_tensor_is_recognised_once_and_again_after_a_change() -> None:
    masks, mask, times = Masks(), torch.ones(4, 4), []

    def recognise() -> int:
        times.append(1)
        return len(times)

    assert [masks.of([mask], "a", recognise) for _ in range(3)] == [1, 1, 1]
    assert masks.of([mask[:, :]], "a", recognise) == 1
    mask[0, 0] = 0
    assert masks.of([mask], "a", recognise) == 2
    assert masks.of([mask[1:]], "a", recognise) == 3


def test_a_tensor_of_inference_mode_is_recognised_each_time() -> None:
    with torch.inference_mode():
        mask = torch.ones(4, 4)
    found = iter(range(9))
    masks = Masks()
    assert [masks.of([mask], "a", lambda: next(found)) for _ in range(3)] == [0, 1, 2]


def test_masks_of_freed_tensors_are_forgotten() -> None:
    masks = Masks()
    for _ in range(2000):
        masks.of([torch.ones(2, 2)], "a", lambda: None)
    assert len(masks._found) <= 256
