"""What can be known of xformers without an NVIDIA device: its masks and its refusals."""

from __future__ import annotations

import importlib
import importlib.util
import sys

import pytest
import torch
from torch import Tensor

from impls.interface import FULL, Mask, Missing, Problem

pytest.importorskip("xformers", reason="xformers is not installed")
adapter = importlib.import_module("impls.xformers")

MASKS = ("causal", "window:1", "window:5", "window:5:3", "window:*:3", "window:3:*", "window:99:99")
LENGTHS = [(1, 1), (7, 7), (33, 33), (1, 9), (9, 33), (9, 1), (33, 9)]


@pytest.mark.parametrize("text", MASKS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_bias_hides_exactly_what_the_mask_hides(text: str, lengths: tuple[int, int]) -> None:
    mask, (queries, keys) = Mask.parse(text), lengths
    bias = adapter.attention_bias(mask, queries, keys).materialize((1, 1, queries, keys))
    positions = torch.arange(queries)[:, None] + keys - queries
    seen = mask.visible(0, positions, torch.arange(keys))
    assert torch.equal(bias[0, 0] == 0, seen)
    assert torch.equal(bias[0, 0] == float("-inf"), ~seen)


def test_the_full_mask_is_no_bias() -> None:
    assert adapter.attention_bias(FULL, 3, 5) is None


@pytest.mark.parametrize(
    "text",
    [
        "b2 h4 t7 d8",
        "b2 h4/2 t7/9 d8 causal",
        "b2 h4/2 t9/5 d8 causal",
        "b2 h4 t9/5 d8 window:2:1",
        "b1 h4/1 t7 d8 window:3 scale0.7",
    ],
)
def test_layout_and_heads_are_what_the_library_documents(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own equivalent formula, from its docstring, stands in for its kernels."""
    from impls import reference

    p = Problem.parse(text)
    torch.manual_seed(0)
    q = torch.randn(p.batch, p.query_heads, p.query_length, p.head_dim, dtype=torch.float64)
    k, v = torch.randn(2, p.batch, p.key_heads, p.key_length, p.head_dim, dtype=torch.float64)
    monkeypatch.setattr(adapter._library(), "memory_efficient_attention", _documented)
    out = adapter.xformers.bound(mask=p.mask, scale=p.softmax_scale)(q, k, v)
    wanted = reference.attention(q, k, v, mask=p.mask, scale=p.softmax_scale)
    torch.testing.assert_close(out, wanted)


def _documented(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: object, scale: float
) -> Tensor:
    assert query.shape[2:] == key.shape[2:] == value.shape[2:]
    query, key, value = (x.movedim(1, -2) for x in (query, key, value))
    scores = query * scale @ key.mT
    if attn_bias is not None:
        scores = scores + attn_bias.materialize(scores.shape, scores.dtype)  # type: ignore[attr-defined]  # theirs
    return (scores.softmax(-1) @ value).movedim(-2, 1).contiguous()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fp16 cpu", "device cpu: runs on cuda"),
        ("fp64 cuda", "dtype float64: takes"),
        ("bf16 d12 cuda", "head dimension 12: takes 8 to 256 by 8"),
        ("bf16 h4/2 train cuda", "4 query heads over 2 key heads: needs as many of both"),
        ("fp32 window:9 cuda", "dtype float32: takes float16, bfloat16"),
    ],
)
def test_what_is_out_of_reach_is_refused_in_words(text: str, words: str) -> None:
    refusals = adapter.xformers.refusals(Problem.parse(text))
    assert len(refusals) == 1
    assert refusals[0].startswith(words)


@pytest.mark.parametrize(
    "text",
    ["bf16 window:9 train", "fp16 h4/2 causal", "fp32 causal train", "fp32 h4/2 t9/5 causal"],
)
def test_what_is_within_reach_is_not_refused(text: str) -> None:
    assert adapter.xformers.refusals(Problem.parse(f"{text} cuda"), capability=(9, 0)) == ()


def test_an_old_device_is_refused_in_words() -> None:
    (refusal,) = adapter.xformers.refusals(Problem.parse("bf16 cuda"), capability=(7, 5))
    assert "7.5: needs 8.0" in refusal


def test_the_library_itself_says_why_it_has_no_operator_here() -> None:
    q, k, v = torch.randn(3, 1, 2, 8, 16, device="cpu")
    with pytest.raises(NotImplementedError, match="No operator found"):
        adapter.operator(q, k, v, mask=FULL, scale=0.25)


def test_without_the_library_the_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import impls

    monkeypatch.delitem(sys.modules, "impls.xformers")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    (found,) = impls.load([impls.FOLDER / "xformers.py"]).values()
    assert isinstance(found, Missing)
    assert "xformers is not installed" in found.reason


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA device here")
def test_the_operator_chosen_on_a_device_has_a_name() -> None:
    q, k, v = torch.randn(3, 1, 2, 8, 16, device="cuda", dtype=torch.float16)
    assert "F" in adapter.operator(q, k, v, mask=FULL, scale=0.25)
