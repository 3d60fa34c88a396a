"""Stand-ins of the packages of FlashAttention: their signatures, computed densely on a CPU.

Window and outputs are those of the packages: -1 is unlimited in 2 and 3; in 4 it is None, and the
log-sum-exp is returned, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DENSE = '''
import torch


def _dense(q, k, v, scale, causal, reaches, softcap, slopes=None):
    """q, k, v and the output [T, H, D]; reaches are None where unlimited."""
    group = q.shape[1] // k.shape[1]
    q, k, v = (x.transpose(0, 1).float() for x in (q, k, v))
    k, v = (x.repeat_interleave(group, 0) for x in (k, v))
    scores = q @ k.mT * (q.shape[2] ** -0.5 if scale is None else scale)
    scores = softcap * torch.tanh(scores / softcap) if softcap else scores
    queries = torch.arange(q.shape[1], device=q.device)[:, None] + k.shape[1] - q.shape[1]
    distance = queries - torch.arange(k.shape[1], device=q.device)
    if slopes is not None:
        assert slopes.dtype == torch.float32
        scores = scores - slopes[:, None, None] * distance.abs()
    left, right = reaches
    right = 0 if causal else right
    seen = torch.ones_like(distance, dtype=torch.bool)
    seen = seen if left is None else seen & (distance <= left)
    seen = seen if right is None else seen & (distance >= -right)
    blind = ~seen.any(-1, keepdim=True)
    weights = scores.masked_fill(~(seen | blind), -torch.inf).softmax(-1).masked_fill(blind, 0.0)
    return (weights @ v).transpose(0, 1)


def _rows(q, k, v, *given):
    parts = [_dense(*row, *given) for row in zip(q, k, v)]
    return torch.stack(parts).to(q.dtype)


def _packed(q, k, v, queries, keys, *given):
    assert queries.dtype == keys.dtype == torch.int32
    bounds = list(zip(queries.tolist(), keys.tolist()))
    assert bounds[0] == (0, 0) and bounds[-1] == (len(q), len(k))
    parts = [
        _dense(q[first:last], k[start:end], v[start:end], *given)
        for (first, start), (last, end) in zip(bounds, bounds[1:])
    ]
    return torch.cat(parts).to(q.dtype)
'''
TWO = f"""{DENSE}
__version__ = "2.8.3"


def _reaches(window):
    return tuple(None if reach < 0 else reach for reach in window)


def flash_attn_func(
    q, k, v, dropout_p=0.0, softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0,
    alibi_slopes=None, deterministic=False, return_attn_probs=False,
):
    reaches = _reaches(window_size)
    return _rows(q, k, v, softmax_scale, causal, reaches, softcap, alibi_slopes)


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0,
    softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0, alibi_slopes=None,
    deterministic=False, return_attn_probs=False, block_table=None,
):
    given = softmax_scale, causal, _reaches(window_size), softcap, alibi_slopes
    return _packed(q, k, v, cu_seqlens_q, cu_seqlens_k, *given)
"""
THREE = f"""{DENSE}

def _reaches(window):
    return tuple(None if reach < 0 else reach for reach in window)


def flash_attn_func(
    q, k, v, softmax_scale=None, causal=False, qv=None, q_descale=None, k_descale=None,
    v_descale=None, window_size=(-1, -1), attention_chunk=0, softcap=0.0, num_splits=1,
    pack_gqa=None, deterministic=False, sm_margin=0, return_attn_probs=False,
):
    return _rows(q, k, v, softmax_scale, causal, _reaches(window_size), softcap)


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, seqused_q=None,
    seqused_k=None, softmax_scale=None, causal=False, qv=None, q_descale=None, k_descale=None,
    v_descale=None, window_size=(-1, -1), attention_chunk=0, softcap=0.0, num_splits=1,
    pack_gqa=None, deterministic=False, sm_margin=0, return_attn_probs=False,
):
    given = softmax_scale, causal, _reaches(window_size), softcap
    return _packed(q, k, v, cu_seqlens_q, cu_seqlens_k, *given)
"""
FOUR = f'''{DENSE}

def _reaches(window):
    """-1 is a number, unless both are negative."""
    both = None not in window and max(window) < 0
    return (None, None) if both else window


def flash_attn_func(
    q, k, v, qv=None, gather_kv_indices=None, softmax_scale=None, causal=False,
    window_size=(None, None), learnable_sink=None, softcap=0.0, num_splits=1, pack_gqa=None,
    deterministic=False, score_mod=None, score_mod_bwd=None, mask_mod=None, aux_tensors=None,
    return_lse=False,
):
    return _rows(q, k, v, softmax_scale, causal, _reaches(window_size), softcap), None


def flash_attn_varlen_func(
    q, k, v, qv=None, cu_seqlens_q=None, cu_seqlens_k=None, max_seqlen_q=None, max_seqlen_k=None,
    min_seqlen_k=None, seqused_q=None, seqused_k=None, gather_kv_indices=None, page_table=None,
    softmax_scale=None, causal=False, window_size=(None, None), learnable_sink=None, softcap=0.0,
    num_splits=1, pack_gqa=None, deterministic=False, return_lse=False,
):
    given = softmax_scale, causal, _reaches(window_size), softcap
    return _packed(q, k, v, cu_seqlens_q, cu_seqlens_k, *given), None
'''
PACKAGES = {
    2: ("flash_attn/__init__.py", TWO, "flash_attn-2.8.3"),
    3: ("flash_attn_interface.py", THREE, "flash_attn_3-3.0.0b1"),
    4: ("flash_attn/cute/__init__.py", FOUR, "flash_attn_4-4.0.0b36"),
}
"""File, its text, and the distribution with its version, by generation."""
MODULES = {
    *("flash_attn", "flash_attn.cute", "flash_attn.flash_attn_interface"),
    "flash_attn_interface",
}


def install(folder: Path, generation: int, distribution: str = "") -> None:
    """Write the stand-in of a generation into a folder, as pip would install it there.

    distribution  with its version; "" for the one in PACKAGES
    """
    file, text, named = PACKAGES[generation]
    name, version = (distribution or named).split("-")
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)
    if generation == 2:
        (folder / "flash_attn/flash_attn_interface.py").write_text("")
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find the packages of a folder, and import `impls.flash_attn` anew.

    Modules that are imported from it leave with the test.
    """
    monkeypatch.syspath_prepend(str(folder))
    known = {name for name in sys.modules if name.split(".")[0] in MODULES}
    for name in known | MODULES:
        monkeypatch.setitem(sys.modules, name, sys)  # so that the name is restored, or removed
        del sys.modules[name]
    monkeypatch.delitem(sys.modules, "impls.flash_attn", raising=False)
