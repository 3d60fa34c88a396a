"""What can be known of xformers without an NVIDIA device: its masks and its refusals."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from impls import reference
from impls.interface import FULL, Mask, Missing, Problem
from impls.interface.additive import grouped, hidden_pairs, tensor_bias
from impls.interface.limits import EVERY_MASK
from impls.interface.problem import DTYPES
from suites.measure.inputs import Inputs, bind, make_inputs

pytest.importorskip("xformers", reason="xformers is not installed")
adapter = importlib.import_module("impls.xformers")

BANDS = ("causal", "window:1", "window:5", "window:5:3", "window:*:3", "window:3:*", "window:99:99")
LENGTHS = [(1, 1), (7, 7), (33, 33), (1, 9), (9, 33), (9, 1), (33, 9)]
MASKS = {
    "full": "full",
    "causal": "causal",
    "window": "window:3:1",
    "padding": "padding:0.5",
    "documents": "documents:9",
    "rows": "rows:1/2+3/4",
}
DOCUMENTS = ("documents:9", "documents:1x9", "documents:4/3/2", "causal+documents:4/3/2")
PADDED = (
    "padding:0.5",
    "padding:0-0/3-9/0-9",
    "causal+padding:0.5",
    "window:3+padding:0.5",
    "window:3:1+documents:4/3/2",
    "padding:0.5+documents:4/3/2",
    "causal+padding:0.5+documents:4/3/2",
    "window:2+padding:0.5+documents:4/3/2",
)


def seen_by(problem: Problem) -> Tensor:
    """[B, 1, Tq, Tk], whether a key is seen."""
    p = problem
    mask = p.mask.resolved(p.batch, p.key_length)
    positions = torch.arange(p.query_length) + p.key_length - p.query_length
    return reference.visible(mask, torch.arange(p.batch), positions, torch.arange(p.key_length))


def _example(kind: str) -> tuple[str, str]:
    """A mask of a kind, with the words for its batch and lengths; rows state the lengths."""
    text = "+".join(MASKS[word] for word in kind.split("+"))
    return text, "b1" if "rows" in kind else "b2 t9"


def resolved(problem: Problem) -> Mask:
    return problem.mask.resolved(problem.batch, problem.key_length)


@pytest.mark.parametrize("text", BANDS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_object_of_a_band_hides_exactly_what_the_mask_hides(
    text: str, lengths: tuple[int, int]
) -> None:
    problem = Problem.parse(f"b1 h1 t{lengths[0]}/{lengths[1]} d8 {text} bf16")
    x = make_inputs(problem, purpose="test")
    assert not adapter.is_tensor(problem.mask, None, x.q)
    bias = adapter.object_bias(problem.mask, x.q, x.k).materialize((1, 1, *lengths))
    assert torch.equal(bias == 0, seen_by(problem))
    assert torch.equal(bias == float("-inf"), ~seen_by(problem))


@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_the_object_of_documents_hides_what_the_mask_hides_with_rows_in_a_line(
    text: str, dtype: str
) -> None:
    problem = Problem.parse(f"b3 h1 t9 d8 {text} {dtype}")
    x = make_inputs(problem, purpose="test")
    assert not adapter.is_tensor(problem.mask, None, x.q)
    made = adapter.object_bias(problem.mask, x.q, x.k).materialize((1, 27, 27))[0]
    seen = torch.zeros(27, 27, dtype=torch.bool)
    for first, row in zip((0, 9, 18), seen_by(problem)[:, 0], strict=True):
        seen[first : first + 9, first : first + 9] = row
    assert torch.equal(made == 0, seen)
    assert torch.equal(made == float("-inf"), ~seen)


@pytest.mark.parametrize("text", ["rows:1/4+3/2+2/2", "causal+rows:1/4+2x2/5+3/3"])
def test_the_object_of_rows_hides_exactly_what_the_mask_hides(text: str) -> None:
    problem = Problem.parse(f"h1 d8 {text} bf16")
    x = make_inputs(problem, purpose="test")
    assert not adapter.is_tensor(problem.mask, None, x.q)
    lengths = problem.query_length, problem.key_length
    made = adapter.object_bias(problem.mask, x.q, x.k).materialize((1, *lengths))
    assert torch.equal(made[0] == 0, seen_by(problem)[0, 0])


def test_rows_with_blind_queries_and_windows_of_rows_are_tensors() -> None:
    for text in ("causal+rows:3/2+1/4", "window:2+rows:1/4+2/2"):
        problem = Problem.parse(f"h1 d8 {text}")
        x = make_inputs(problem, purpose="test")
        assert adapter.is_tensor(problem.mask, None, x.q)


@pytest.mark.parametrize(
    "text",
    [
        *(f"t9 {text}" for text in (*PADDED, "window:3", "window:5:2")),
        *(f"t9/4 {text}" for text in ("padding:0.5", "window:3:1+padding:0.5", "window:3:*")),
        *(f"t4/9 {text}" for text in ("causal+padding:0-0/3-9/0-9", "window:2")),
    ],
)
def test_a_tensor_hides_exactly_what_the_mask_hides_but_for_blind_queries(text: str) -> None:
    problem = Problem.parse(f"b3 h2 d8 {text}")
    x, seen = make_inputs(problem, purpose="test"), seen_by(problem)
    assert adapter.is_tensor(problem.mask, None, x.q)
    made, blind = tensor_bias(resolved(problem), None, x.q, x.k, hidden_pairs)
    assert made.shape == (3, 2, problem.query_length, problem.key_length)
    assert torch.equal(blind.expand(3, 1, -1, 1), ~seen.any(-1, keepdim=True))
    seen = (seen | blind).expand(made.shape)
    assert torch.equal(made == 0, seen)
    assert torch.equal(made == float("-inf"), ~seen)


@pytest.mark.parametrize(
    "text", ["alibi", "relative:8 causal", "alibi window:3+padding:0.5 bf16", "dense causal bf16"]
)
def test_a_tensor_holds_the_bias_in_the_dtype_of_the_queries(text: str) -> None:
    problem = Problem.parse(f"b2 h3 t5/9 d8 {text}")
    x = make_inputs(problem, purpose="test")
    assert x.bias is not None
    made, blind = tensor_bias(resolved(problem), x.bias, x.q, x.k, hidden_pairs)
    hidden = ~(seen_by(problem) | blind)
    every = x.bias.of_pairs(torch.arange(4, 9)[:, None], torch.arange(9))
    wanted = every.to(x.q.dtype).expand(2, 3, 5, 9)
    assert made.dtype == x.q.dtype
    assert torch.equal(made, wanted.masked_fill(hidden, float("-inf")))


@pytest.mark.parametrize("text", ["alibi", "padding:0.5", "relative:4 padding:0.5", "dense"])
@pytest.mark.parametrize("length", [1, 7, 8, 13])
def test_rows_of_a_tensor_begin_where_the_library_wants_them(text: str, length: int) -> None:
    problem = Problem.parse(f"b2 h3 t{length} d8 {text} bf16")
    x = make_inputs(problem, purpose="test")
    reasons: list[str] = []
    made, _ = tensor_bias(resolved(problem), x.bias, x.q, x.k, hidden_pairs)
    adapter._library().fmha.cutlass._check_bias_alignment(reasons, made)
    assert reasons == []


def test_a_bias_is_read_anew_in_every_call() -> None:
    problem = Problem.parse("b1 h2 t5 d8 relative:4")
    x = make_inputs(problem, purpose="test")
    assert x.bias is not None
    before = tensor_bias(FULL, x.bias, x.q, x.k, hidden_pairs)[0].clone()
    x.bias.values.add_(1)
    assert torch.equal(tensor_bias(FULL, x.bias, x.q, x.k, hidden_pairs)[0], before + 1)


def test_the_full_mask_is_no_bias() -> None:
    x = make_inputs(Problem.parse("t3/5"), purpose="test")
    assert not adapter.is_tensor(FULL, None, x.q)
    assert adapter.object_bias(FULL, x.q, x.k) is None


def test_every_tensor_and_object_is_of_a_type_that_the_kernels_take_backward_too() -> None:
    fmha = adapter._library().fmha
    for kind in EVERY_MASK:
        text, sizes = _example(kind)
        for dtype, kernel in (("bf16", fmha.flash), ("fp32", fmha.cutlass)):
            problem = Problem.parse(f"{sizes} h2 d8 {text} {dtype}")
            x = make_inputs(problem, purpose="test")
            tensor = adapter.is_tensor(problem.mask, None, x.q)
            takes = fmha.cutlass if tensor else kernel
            said = (
                torch.Tensor if tensor else type(adapter.object_bias(resolved(problem), x.q, x.k))
            )
            assert said in takes.FwOp.SUPPORTED_ATTN_BIAS_TYPES, problem
            assert said in takes.BwOp.SUPPORTED_ATTN_BIAS_TYPES, problem


@pytest.mark.parametrize(
    "text",
    [
        "b2 h4 t7 d8",
        "b2 h4/2 t7/9 d8 causal",
        "b2 h4/2 t9/5 d8 causal",
        "b2 h4 t9/5 d8 window:2:1",
        "b1 h4/1 t7 d8 window:3 scale0.7",
        "b2 h4 t9 d8 documents:4/3/2",
        "b2 h4/2 t9 d8 causal+documents:4/3/2 bthd",
        "b3 h4/2 t9 d8 causal+padding:0-0/3-9/0-5 alibi",
        "b3 h4 t5/9 d8 window:3:1+padding:0.5 relative:8",
        "b3 h4/1 t9/5 d8 padding:0-0/3-5/0-5 relative:8",
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layout_and_heads_are_what_the_library_documents(
    text: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own equivalent formula, from its docstring, stands in for its kernels."""
    problem = Problem.parse(f"{text} {str(dtype).removeprefix('torch.')} train")
    monkeypatch.setattr(adapter._library(), "memory_efficient_attention", _documented)
    x = make_inputs(problem, purpose="test")
    leaves = [each.requires_grad_() for each in (x.q, x.k, x.v)]
    out = bind(adapter.xformers, problem, x)(*leaves)
    wide = [each.detach().double().requires_grad_() for each in leaves]
    wanted = _defined(problem, x, wide)
    assert (out[(wanted == 0).all(-1)] == 0).all()
    _are_close(out, wanted)
    assert x.grad is not None
    made = torch.autograd.grad(out, leaves, x.grad)
    for got, exact in zip(made, torch.autograd.grad(wanted, wide, x.grad.double()), strict=True):
        _are_close(got, exact)


def _defined(problem: Problem, x: Inputs, wide: list[Tensor]) -> Tensor:
    scale = problem.softmax_scale
    return reference.attention(*wide, mask=resolved(problem), scale=scale, bias=x.bias)


def _are_close(got: Tensor, exact: Tensor) -> None:
    assert (got - exact).norm() < 16 * torch.finfo(got.dtype).eps * exact.norm()


def _documented(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: Any, scale: float, op: None
) -> Tensor:
    assert op is None  # the library's own choice
    assert query.shape[2:] == key.shape[2:] == value.shape[2:]
    query, key, value = (x.movedim(1, -2) for x in (query, key, value))
    scores = query * scale @ key.mT
    if attn_bias is not None and not isinstance(attn_bias, Tensor):
        attn_bias = attn_bias.materialize(scores.shape, scores.dtype)
    scores = scores if attn_bias is None else scores + attn_bias
    return (scores.softmax(-1) @ value).movedim(-2, 1).contiguous()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fp16 cpu", "device cpu: runs on cuda"),
        ("fp64 cuda", "dtype float64: takes"),
        ("bf16 d12 cuda", "head dimension 12: takes 8 to 256 by 8"),
        ("bf16 h4/2 train cuda", "4 query heads over 2 key heads: needs as many of both"),
        ("fp32 dv32 cuda", "value dimension 32: takes the head dimension only"),
        ("fp16 softcap30 cuda", "softcap 30.0: takes scores as they are"),
        ("bf16 sink cuda", "sink: takes a softmax over the keys alone"),
    ],
)
def test_what_is_out_of_reach_is_refused_in_words(text: str, words: str) -> None:
    refusals = adapter.xformers.refusals(Problem.parse(text))
    assert len(refusals) == 1
    assert refusals[0].startswith(words)


@pytest.mark.parametrize(
    "text",
    [
        "bf16 window:9 train",
        "fp16 h4/2 causal",
        "fp32 causal train",
        "fp32 h4/2 t9/5 causal",
        "fp32 window:9 train",
        "fp16 window:9+padding:0.5 alibi train",
        "bf16 t9 causal+documents:4/5 relative:32",
    ],
)
def test_what_is_within_reach_is_not_refused(text: str) -> None:
    assert adapter.xformers.refusals(Problem.parse(f"{text} cuda"), capability=(9, 0)) == ()


@pytest.mark.parametrize(
    ("operator", "text", "capability", "words"),
    [
        ("fa2", "fp32", (9, 0), "dtype float32: takes float16, bfloat16"),
        ("fa2", "bf16 causal+padding:0.5", (9, 0), "mask causal+padding: takes full"),
        ("fa2", "bf16 alibi", (9, 0), "bias alibi: takes none"),
        ("cutlass", "bf16", (10, 0), "CUDA capability 10.0: needs one below 9.1"),
        ("fa3", "bf16", (9, 0), "xformers takes this kernel from the package flash_attn_3"),
        ("blackwell", "bf16", (10, 0), "xformers takes this kernel from the package fbgemm_gpu"),
        ("triton_splitk", "bf16 train", (9, 0), "training: forward only"),
        ("triton_splitk", "bf16 d96", (9, 0), "head dimension 96: takes"),
    ],
)
def test_each_operator_refuses_in_words_what_it_does_not_take(
    operator: str, text: str, capability: tuple[int, int], words: str
) -> None:
    each = adapter.xformers.choosing(operator=operator)
    (refusal,) = each.refusals(Problem.parse(f"{text} cuda"), capability)
    assert refusal.startswith(words)


def test_every_operator_is_one_of_the_library() -> None:
    fmha = adapter._library().fmha
    known = {each.__module__ for each in (*fmha.ALL_FW_OPS, *fmha.ALL_BW_OPS)}
    named = {adapter._named(name, trains=False)[0].__module__ for name in adapter.OPERATORS}
    assert named == known - {fmha.ck.__name__} | {fmha.cutlass.__name__}  # ck is for AMD devices


@pytest.mark.parametrize("operator", ["fa2", "fa3", "cutlass", "blackwell", "triton_splitk"])
def test_limits_of_an_operator_are_those_of_the_library(operator: str) -> None:
    forward = adapter._named(operator, trains=False)[0]
    names = {str(dtype).removeprefix("torch.") for dtype in forward.SUPPORTED_DTYPES}
    for limits in adapter.OPERATORS[operator]:
        assert set(limits.dtypes) <= names
        assert limits.cuda_capability >= forward.CUDA_MINIMUM_COMPUTE_CAPABILITY
        newest = forward.CUDA_MAXIMUM_COMPUTE_CAPABILITY
        assert (newest is None) == (limits.cuda_capability_below is None)
        for dim in limits.head_dims:
            assert forward.shape_not_supported_reasons(64, 64, dim, dim) == []
        for kind in limits.masks:
            text, sizes = _example(kind)
            problem = Problem.parse(f"{sizes} h2 d64 {text} {DTYPES[limits.dtypes[0]]}")
            x, mask = make_inputs(problem, purpose="test"), resolved(problem)
            tensor = adapter.is_tensor(mask, None, x.q, operator)
            bias = torch.Tensor if tensor else type(adapter.object_bias(mask, x.q, x.k))
            assert bias in forward.SUPPORTED_ATTN_BIAS_TYPES, kind


def test_an_old_device_is_refused_in_words() -> None:
    (refusal,) = adapter.xformers.refusals(Problem.parse("bf16 cuda"), capability=(7, 5))
    assert "7.5: needs 8.0" in refusal


def test_the_library_itself_says_why_it_has_no_operator_here() -> None:
    q, k, v = torch.randn(3, 1, 2, 8, 16, device="cpu")
    with pytest.raises(NotImplementedError, match="No operator found"):
        adapter.kernels(q, k, v, mask=FULL, scale=0.25)


def test_newer_devices_have_no_kernel_for_tensors_and_float32() -> None:
    for text in ("fp32", "bf16 padding:0.5", "bf16 causal alibi"):
        (refusal,) = adapter.xformers.refusals(Problem.parse(f"{text} cuda"), capability=(10, 0))
        assert refusal.startswith(("CUDA capability 10.0", "mask ", "bias ", "dtype "))
    problem = Problem.parse("bf16 window:9 train cuda")
    assert adapter.xformers.refusals(problem, capability=(10, 0)) == ()


def test_float32_is_noted_to_be_three_products() -> None:
    remarks = adapter.xformers.remarks(Problem.parse("fp32 cuda"))
    assert [remark.split(" are ")[1].split()[0] for remark in remarks] == ["three"]
    assert adapter.xformers.remarks(Problem.parse("bf16 cuda")) == ()


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 13), (7, 9)])
def test_rows_of_a_grouped_tensor_begin_where_the_library_wants_them(
    queries: int, keys: int
) -> None:
    problem = Problem.parse(f"b2 h4/2 t{queries}/{keys} d8 padding:0.5 bf16")
    x = make_inputs(problem, purpose="test")
    reasons: list[str] = []
    made, _ = tensor_bias(resolved(problem), x.bias, x.q, x.k, hidden_pairs)
    by_group = grouped(made, 2)
    adapter._library().fmha.cutlass._check_bias_alignment(reasons, by_group)
    assert reasons == []
    assert torch.equal(by_group.flatten(1, 2), made)


@pytest.mark.parametrize(("cuda", "kind"), [("13.0", Missing), ("12.6", object), (None, object)])
def test_a_build_for_another_cuda_is_missing(
    cuda: str | None, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    import impls

    monkeypatch.delitem(sys.modules, "impls.xformers")
    monkeypatch.setattr("torch.version.cuda", cuda)
    (found,) = impls.load([impls.FOLDER / "xformers.py"]).values()
    assert isinstance(found, Missing) == (kind is Missing)
    if isinstance(found, Missing):
        assert (
            "built for CUDA 12.8 and refuses every call beside torch for CUDA 13.0" in found.reason
        )


def test_without_the_library_the_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import impls

    monkeypatch.delitem(sys.modules, "impls.xformers")
    monkeypatch.setattr(importlib.metadata, "version", _not_installed)
    (found,) = impls.load([impls.FOLDER / "xformers.py"]).values()
    assert isinstance(found, Missing)
    assert "xformers is not installed; install it with: python -m pip install" in found.reason
    assert found.ran_on == ""


def _not_installed(name: str) -> str:
    raise importlib.metadata.PackageNotFoundError(name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA device here")
@pytest.mark.skipif(bool(adapter.LIBRARY.fault), reason=adapter.LIBRARY.fault)
def test_the_operator_chosen_on_a_device_has_a_name() -> None:
    q, k, v = torch.randn(3, 1, 2, 8, 16, device="cuda", dtype=torch.float16)
    assert "F" in adapter.kernels(q, k, v, mask=FULL, scale=0.25)
