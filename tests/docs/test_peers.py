"""docs/peers.md names every peer and the pinned versions; its recipes are files that agree."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

import pytest

import impls
from impls.interface import Implementation, Missing, Problem
from suites.agreement.checker import Checker

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "peers.md").read_text()
RECIPES: Final = re.findall(r"\n```python\n(.*?)\n```", TEXT, re.DOTALL)
PINS: Final = dict(
    re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
)
STATED: Final = re.findall(
    r"\b(torch|onnxruntime|onnx|openvino|local-attention|xformers|jax) (\d+\.\d+\.\d+)", TEXT
)
STAND_INS: Final = {
    "flash_attn": """
        def flash_attn_func(q, k, v, softmax_scale=None, causal=False, window_size=(-1, -1)):
            q, k, v = (x.transpose(1, 2) for x in (q, k, v))
            window = (window_size[0], 0) if causal else window_size
            return attend(q, k, v, softmax_scale, window).transpose(1, 2)
    """,
    "sageattention": """
        def sageattn(q, k, v, tensor_layout="HND", is_causal=False, sm_scale=None):
            assert tensor_layout == "HND"
            k -= k.mean(2, keepdim=True)
            return attend(q, k, v, sm_scale, (-1, 0 if is_causal else -1))
    """,
}
"""Packages that need an NVIDIA device, as functions of the same parameters, layout and windows."""
ATTEND: Final = """
import torch


def attend(q, k, v, scale, window):
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    scores = q @ k.mT * (scale or q.shape[-1] ** -0.5)
    first = k.shape[2] - q.shape[2]
    distances = torch.arange(first, k.shape[2])[:, None] - torch.arange(k.shape[2])
    before, after = (k.shape[2] if each < 0 else each for each in window)
    hidden = (distances > before) | (distances < -after)
    return torch.softmax(scores.masked_fill(hidden, float("-inf")), -1) @ v


"""


OWN: Final = ("compiled_decode", "triton_flash")
"""Of this program, compiled or for devices that the tests lack: docs/kernels.md has them."""


def is_peer(each: Implementation | Missing) -> bool:
    """Of another library, of a compiler, for devices that the tests lack, or a part of torch."""
    if each.name in OWN:
        return False
    if isinstance(each, Missing):
        return True
    foreign = each.library is not None or each.slow_start or each.ran_on is not None
    return foreign or each.name.startswith("sdpa") or each.name == "context_parallel"


PEERS: Final = sorted(name for name, each in impls.load().items() if is_peer(each))


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_is_a_row_of_the_table(name: str) -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    assert any(f"`{name}`" in row.split("|")[1] for row in rows)


def test_the_peers_are_those_of_other_libraries_and_of_torch() -> None:
    assert {"local_attention", "onnxruntime", "openvino", "sdpa_flash", "xformers"} <= {*PEERS}
    assert not {"naive", "chunked", "local_window", "linear", "multi_head"} & {*PEERS}


@pytest.mark.parametrize(("package", "version"), sorted({*STATED}))
def test_a_stated_version_is_the_one_that_the_tests_run_with(package: str, version: str) -> None:
    assert PINS.get(package, version) == version


def test_versions_of_pinned_packages_are_stated() -> None:
    assert {"torch", "onnxruntime", "xformers"} <= {package for package, _ in STATED} & PINS.keys()


def test_the_files_that_it_links_to_exist() -> None:
    links = [each for each in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in each]
    assert links
    for link in [*links, *re.findall(r"`((?:impls|docs)/[\w/]+\.py)`", TEXT)]:
        assert any((base / link).is_file() for base in (ROOT, ROOT / "docs")), link


def test_the_links_within_the_page_have_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert {*re.findall(r"\]\(#([\w-]+)\)", TEXT)} <= anchors


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("flash_2", words) for words in ("", "h4/2 causal", "window:9", "t33/65 scale0.3")),
        *(("sage", words) for words in ("", "h4/2 causal", "t33/65 scale0.3")),
    ],
)
def test_a_recipe_agrees_with_a_stand_in_for_its_package(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_stand_ins(tmp_path, monkeypatch)
    (source,) = (each for each in RECIPES if f"def {name}(" in each)
    (tmp_path / "recipe.py").write_text(source)
    (each,) = impls.load_file(tmp_path / "recipe.py")
    assert not each.refusals(Problem.parse(f"d64 bf16 cuda {text}"), (9, 0))
    assert Checker(Problem.parse(f"b2 d64 {text}"), seed=3).check(each).fault == ""


def _write_stand_ins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, function in STAND_INS.items():
        lines = [line.removeprefix(" " * 8) for line in function.splitlines()]
        (folder / f"{name}.py").write_text(ATTEND + "\n".join(lines))
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(folder)
