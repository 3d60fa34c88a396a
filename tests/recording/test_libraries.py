"""Calls of flash_attn, by a stand-in with its signatures, of xformers and of flex_attention."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from suites.recording.in_process import recorded
from suites.records import workload
from tests.recording.counting import counts

Q = torch.ones(2, 16, 4, 8)
PACKED = torch.ones(20, 4, 8)
ENDS = torch.tensor([0, 5, 5, 20], dtype=torch.int32)


def flash_attn_func(  # noqa: PLR0913, PLR0917 - its signature
    q: Tensor, k: Tensor, v: Tensor, dropout_p: float = 0.0, softmax_scale: float | None = None,
    causal: Any = 0, window_size: tuple[int, int] = (-1, -1), softcap: float = 0.0,
    alibi_slopes: Tensor | None = None, deterministic: Any = 0,
) -> Tensor:  # fmt: skip
    return q.clone()


def flash_attn_varlen_func(  # noqa: PLR0913, PLR0917 - its signature
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor,
    max_seqlen_q: int, max_seqlen_k: int, dropout_p: float = 0.0,
    softmax_scale: float | None = None, causal: Any = 0,
    window_size: tuple[int, int] = (-1, -1), block_table: Tensor | None = None,
) -> Tensor:  # fmt: skip
    return q.clone()


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = ModuleType("flash_attn")
    module.flash_attn_func = flash_attn_func
    module.flash_attn_varlen_func = flash_attn_varlen_func
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    return module


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "full"),
        ({"causal": True}, "causal"),
        ({"causal": True, "window_size": (3, 0)}, "window:4"),
        ({"window_size": (3, 2)}, "window:4:2"),
    ],
)
def test_flash_attention(
    tmp_path: Path, flash: Any, options: dict[str, Any], expected: str
) -> None:
    with recorded(tmp_path / "w"):
        flash.flash_attn_func(Q, Q[:, :, :2], Q[:, :, :2], **options)
    assert counts(workload.read(tmp_path / "w")) == {f"b2 h4/2 t16 d8 {expected} fp32 bthd cpu": 1}


@pytest.mark.parametrize(
    ("keys", "options", "expected"),
    [
        (ENDS, {}, "b1 h4 t20 d8 documents:5/15 fp32 bthd cpu"),
        (ENDS, {"causal": True}, "b1 h4 t20 d8 causal+documents:5/15 fp32 bthd cpu"),
        (ENDS, {"dropout_p": 0.5}, "dropout 0.5"),
        (ENDS, {"block_table": ENDS}, "a paged cache of keys"),
    ],
)
def test_packed_flash_attention(
    tmp_path: Path, flash: Any, keys: Tensor, options: dict[str, Any], expected: str
) -> None:
    with recorded(tmp_path / "w"):
        flash.flash_attn_varlen_func(PACKED, PACKED, PACKED, ENDS, keys, 15, 15, **options)
    assert counts(workload.read(tmp_path / "w")) == {expected: 1}


def test_packed_queries_over_longer_keys_are_rows(tmp_path: Path, flash: Any) -> None:
    queries, ends = PACKED[:3], torch.tensor([0, 1, 3])
    with recorded(tmp_path / "w"):
        flash.flash_attn_varlen_func(
            queries, PACKED, PACKED, ends, torch.tensor([0, 5, 20]), 2, 15, causal=True
        )
    (call,) = workload.read(tmp_path / "w").calls
    assert (call.problem.mask.rows, call.problem.mask.right) == (((1, 5), (2, 15)), 0)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_with_a_block_mask(tmp_path: Path) -> None:
    from torch.nn.attention import flex_attention as flex

    def window(b: Any, h: Any, q: Any, k: Any) -> Any:
        return (q >= k) & (q - k < 20)

    q = torch.ones(1, 2, 128, 16)
    mask = flex.create_block_mask(window, None, None, 128, 128, device="cpu")
    with recorded(tmp_path / "w"):
        flex.flex_attention(q, q, q, block_mask=mask)
        flex.flex_attention(q, q, q, score_mod=lambda score, b, h, i, j: score * 2)
    assert counts(workload.read(tmp_path / "w")) == {
        "b1 h2 t128 d16 window:20 fp32 cpu": 1,
        "score_mod <lambda>": 1,
    }


def test_a_bias_of_xformers() -> None:
    bias = pytest.importorskip("xformers.ops.fmha.attn_bias")
    from suites.recording.site.attnbench_recorder.seen_keys import Seen
    from suites.recording.site.attnbench_recorder.xformers_patches import _seen

    def seen(mask: Any, queries: int = 16, keys: int = 16) -> Seen:
        recorder: Any = None
        return _seen(recorder, mask, (1, 4, queries, keys))

    assert seen(bias.LowerTriangularMask()).right == 0
    assert seen(bias.LowerTriangularMask(), 8, 16).reason != ""
    assert seen(bias.LowerTriangularFromBottomRightMask(), 8, 16).right == 0
    packed = bias.BlockDiagonalMask.from_seqlens([5, 11])
    assert seen(packed).documents == (5, 11)
    assert (seen(packed.make_causal()).documents, seen(packed.make_causal()).right) == ((5, 11), 0)
    longer = bias.BlockDiagonalMask.from_seqlens([1, 2], [5, 11])
    assert seen(longer, 3).rows == ((1, 5), (2, 11))
    assert seen(longer.make_causal_from_bottomright(), 3).right == 0
