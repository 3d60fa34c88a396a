"""FlashAttention without a device: what each generation is called with, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import impls
from impls import reference
from impls.interface import Implementation, Missing, Problem
from suites.measure.inputs import bind, make_inputs
from tests.impls.flash_attn_packages import install, put_on_path

FILE = impls.FOLDER / "flash_attn.py"
PROBLEMS = [
    "b2 h4/2 t33/17 d16 full",
    "b2 h4/2 t17/33 d16 causal train",
    "b2 h2 t33 d16 window:5 train",
    "b2 h2 t17/33 d16 window:5:3",
    "b2 h2 t33 d16 window:*:3",
    "b2 h2 t33 d16 window:5:* scale0.3",
    "b2 h4/2 t33 d16 documents:10/23 train",
    "b2 h2 t33 d16 causal+documents:10/1/22 bthd train",
    "b2 h2 t33 d16 window:5:3+documents:10/23",
    "h4/2 d16 causal+rows:3x1/33+9/17+5/5 train",
    "h2 d16 window:5:3+rows:4/33+9/9 bthd",
    "b3 h4/2 t17/33 d16 padding:0.5 train",
    "b3 h2 t33 d16 causal+padding:0-20/5-33/7-15 train",
    "b3 h2 t33 d16 causal+padding:0.5+documents:10/23 softcap3",
    "b1 h2 t33 d16 causal softcap3 train",
]
ALIBI = [
    "b2 h4/2 t17/33 d16 causal alibi train",
    "b2 h2 t33 d16 alibi softcap3",
    "b2 h2 t33 d16 window:5:3+documents:10/23 alibi",
]


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Implementation | Missing:
    put_on_path(folder, monkeypatch)
    (found,) = impls.load([FILE]).values()
    return found


def here(folder: Path, monkeypatch: pytest.MonkeyPatch, *generations: int) -> Implementation:
    """The implementation where these generations are installed."""
    for generation in generations:
        install(folder, generation)
    found = loaded(folder, monkeypatch)
    assert isinstance(found, Implementation)
    return found


def disagreement(each: Implementation, text: str) -> float:
    """Largest relative error of output and gradients, on a CPU."""
    problem = Problem.parse(f"{text} bf16")
    x = make_inputs(problem, purpose="test")
    leaves = [given.requires_grad_(problem.training) for given in (x.q, x.k, x.v)]
    wide = [given.detach().double().requires_grad_(problem.training) for given in leaves]
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    out = bind(each, problem, x)(*leaves)
    wanted = reference.attention(
        *wide, mask=mask, scale=problem.softmax_scale, bias=x.bias, softcap=problem.softcap
    )
    assert (out[(wanted == 0).all(-1)] == 0).all()
    pairs = [(out, wanted)]
    if x.grad is not None:
        made = torch.autograd.grad(out, leaves, x.grad)
        pairs += list(zip(made, torch.autograd.grad(wanted, wide, x.grad.double()), strict=True))
    return max(float((got - exact).detach().norm() / exact.detach().norm()) for got, exact in pairs)


@pytest.mark.parametrize("generation", [2, 3, 4])
@pytest.mark.parametrize("text", PROBLEMS)
def test_every_generation_is_called_for_exactly_the_problem(
    generation: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = here(tmp_path, monkeypatch, generation)
    assert disagreement(each, text) < 16 * torch.finfo(torch.bfloat16).eps


@pytest.mark.parametrize("text", ALIBI)
def test_slopes_of_alibi_have_the_same_meaning(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = here(tmp_path, monkeypatch, 2)
    assert disagreement(each, text) < 16 * torch.finfo(torch.bfloat16).eps


@pytest.mark.parametrize(
    ("installed", "name"),
    [
        ((2,), "FlashAttention-2 (flash-attn 2.8.3)"),
        ((2, 3), "FlashAttention-3 (flash_attn_3 3.0.0b1)"),
        ((2, 3, 4), "FlashAttention-4 (flash-attn-4 4.0.0b36)"),
    ],
)
def test_the_newest_one_is_used_and_named(
    installed: tuple[int, ...], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = here(tmp_path, monkeypatch, *installed)
    assert each.operator is not None
    assert each.operator(mask=None, scale=1.0) == name
    assert bool(each.apart) == (4 in installed)


def test_without_a_package_the_line_that_installs_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = loaded(tmp_path, monkeypatch)
    assert isinstance(found, Missing)
    assert "python -m pip install flash-attn --no-build-isolation" in found.reason
    assert found.ran_on == ""


@pytest.mark.parametrize("version", ["1.0.9", "2.0.8", "2.5.9.post1"])
def test_an_old_version_is_missing_with_the_reason(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, 2, f"flash_attn-{version}")
    found = loaded(tmp_path, monkeypatch)
    assert isinstance(found, Missing)
    assert f"flash-attn {version} does not work here: versions before 2.6" in found.reason


def test_no_package_is_imported_to_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here(tmp_path, monkeypatch, 2, 3, 4)
    assert not {"flash_attn", "flash_attn.cute", "flash_attn_interface"} & set(sys.modules)


@pytest.mark.parametrize(
    ("generation", "text", "capability", "words"),
    [
        (2, "bf16", (7, 5), "CUDA capability 7.5: needs 8.0"),
        (2, "fp32", (9, 0), "dtype float32: takes"),
        (2, "bf16 alibi causal+padding:0.5", (9, 0), "bias alibi: takes none"),
        (2, "bf16 window:5+padding:0.5", (9, 0), "mask window+padding: takes"),
        (2, "bf16 relative:8", (9, 0), "bias relative: takes"),
        (3, "bf16", (8, 0), "CUDA capability 8.0: needs 9.0"),
        (3, "bf16", (10, 0), "CUDA capability 10.0: needs one below 9.1"),
        (3, "bf16 alibi", (9, 0), "bias alibi: takes none"),
        (4, "bf16 d192", (10, 0), "head dimension 192"),
        (4, "bf16 t9/5 causal", (9, 0), "queries that see no key"),
        (4, "bf16 softcap3", (12, 0), "softcap 3.0"),
    ],
)
def test_what_a_generation_does_not_take_is_refused_in_words(
    generation: int,
    text: str,
    capability: tuple[int, int],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each = here(tmp_path, monkeypatch, generation)
    (refusal,) = each.refusals(Problem.parse(f"{text} cuda"), capability)
    assert words in refusal


@pytest.mark.parametrize(
    ("generation", "text", "capability"),
    [
        (2, "bf16 d20 h4/2 alibi softcap3 window:5 train", (8, 9)),
        (3, "fp16 causal+padding:0.5+documents:512/512 train", (9, 0)),
        (4, "bf16 d256 causal train", (10, 0)),
        (4, "bf16 d256 causal softcap3 train", (9, 0)),
        (4, "fp16 causal train", (12, 0)),
    ],
)
def test_what_it_takes_is_not_refused(
    generation: int,
    text: str,
    capability: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each = here(tmp_path, monkeypatch, generation)
    assert each.refusals(Problem.parse(f"{text} cuda"), capability) == ()


def test_xformers_is_missing_beside_four_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xformers", reason="xformers is not installed")
    here(tmp_path, monkeypatch, 4)
    monkeypatch.delitem(sys.modules, "impls.xformers", raising=False)
    (found,) = impls.load([impls.FOLDER / "xformers.py"]).values()
    assert isinstance(found, Missing)
    assert "it does not import beside flash-attn-4 without flash-attn" in found.reason
