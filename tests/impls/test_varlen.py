"""`varlen` without a device: its limits. Its whole check is in tests/stand_in."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import impls
from impls.interface import Implementation, Problem

CUDA = (9, 0)


def varlen() -> Implementation:
    (found,) = impls.load([impls.FOLDER / "varlen.py"]).values()
    assert isinstance(found, Implementation)
    return found


@pytest.mark.parametrize(
    ("text", "capability", "words"),
    [
        ("bf16 cpu", None, "device cpu: runs on cuda"),
        ("fp32 cuda", CUDA, "dtype float32: takes float16, bfloat16"),
        ("bf16 d12 cuda", CUDA, "head dimension 12: takes 8 to 256 by 8"),
        ("bf16 window:9+padding:0.5 cuda", CUDA, "mask window+padding: takes"),
        ("bf16 alibi cuda", CUDA, "bias alibi: takes none"),
        ("fp16 softcap30 cuda", CUDA, "softcap 30.0"),
        ("bf16 dv32 cuda", CUDA, "value dimension 32"),
        ("bf16 cuda", (7, 5), "CUDA capability 7.5: needs 8.0"),
        ("bf16 d224 train cuda", (8, 9), "training at head dimension 224: forward only"),
    ],
)
def test_what_is_out_of_reach_is_refused_in_words(
    text: str, capability: tuple[int, int] | None, words: str
) -> None:
    (refusal,) = varlen().refusals(Problem.parse(text), capability)
    assert refusal.startswith(words)


@pytest.mark.parametrize(
    "text",
    [
        "bf16 causal+documents:512/512 train",
        "fp16 causal+padding:0.5 train",
        "bf16 window:9:3+documents:512/512 train",
        "bf16 t9/5 causal train",
        "bf16 h32/8 causal+rows:8x1/4096+2x512/8192",
    ],
)
def test_what_is_within_reach_is_not_refused(text: str) -> None:
    assert varlen().refusals(Problem.parse(f"{text} cuda"), CUDA) == ()


@pytest.mark.parametrize(("source", "reasons"), [("enable_gqa: bool", 0), ("scale: float", 1)])
def test_grouped_heads_need_a_torch_whose_function_has_them(
    source: str, reasons: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "varlen.py").write_text(f"def varlen_attn(query, {source}): ...")
    monkeypatch.delitem(sys.modules, "impls.varlen", raising=False)
    found = importlib.util.spec_from_file_location("varlen", tmp_path / "varlen.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    assert len(varlen().refusals(Problem.parse("bf16 h4/2 cuda"), CUDA)) == reasons


def test_loading_the_file_does_not_import_the_module_of_torch() -> None:
    program = "import sys, impls; impls.load([impls.FOLDER / 'varlen.py']); "
    program += "sys.exit('torch.nn.attention.varlen' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
