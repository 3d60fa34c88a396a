"""The model computes what its limits accept, in the problem's precision, on torch's threads."""

from __future__ import annotations

import importlib
import importlib.metadata

import pytest
import torch

import impls
from impls import reference
from impls.interface import Implementation, Missing, Problem
from suites.engine.call_limits import limited_memory
from suites.engine.outcome import _fault
from suites.measure.inputs import Inputs, bind, make_inputs
from suites.measure.memory import measure
from suites.measure.unseen import unseen

adapter = importlib.import_module("impls.openvino")
ROW: Implementation = adapter.openvino
needs_it = pytest.mark.skipif(bool(ROW.library.fault), reason=ROW.library.fault)  # type: ignore[union-attr]  # it declares one

PROBLEMS = (
    "b2 h4 t65 d16 full",
    "b2 h4 t33/65 d16 causal bthd",
    "b2 h4 t65 d7 causal dv24",
    "h2 t1/65 d16 causal bthd",
    "b3 h4 t33/65 d16 window:9:3+padding:0.5 alibi scale0.7",
    "b2 h4 t65 d16 causal relative:8 bthd",
    "b2 h4 t9 d16 causal+documents:4/3/2 relative:8",
    "h2 t33/65 d16 full alibi",
    "b2 h4 t33/65 d16 full dense",
    "b3 h4 t33/65 d16 causal+padding:0.5 dense bthd",
)


def out_of(problem: Problem, inputs: Inputs) -> torch.Tensor:
    assert ROW.refusals(problem) == ()
    return bind(ROW, problem, inputs)(inputs.q, inputs.k, inputs.v)


def exact(problem: Problem, x: Inputs) -> torch.Tensor:
    p, q, k, v = problem, *(each.double() for each in (x.q, x.k, x.v))
    mask = p.mask.resolved(p.batch, p.key_length)
    return reference.attention(q, k, v, mask=mask, scale=p.softmax_scale, bias=x.bias)


@needs_it
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("text", PROBLEMS)
def test_the_node_computes_the_definition(text: str, dtype: str) -> None:
    problem = Problem.parse(f"{text} {dtype}")
    inputs = make_inputs(problem, purpose="test")
    out, expected = out_of(problem, inputs), exact(problem, inputs)
    assert (out.shape, out.dtype) == (expected.shape, inputs.q.dtype)
    assert (out - expected).norm() < 8 * torch.finfo(out.dtype).eps * expected.norm()


@needs_it
@pytest.mark.parametrize("text", ["h2 t65/33 d16 causal", "h2 t9 d16 causal+padding:9-9 alibi"])
def test_rows_without_a_key_are_zero(text: str) -> None:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    blind = (exact(problem, inputs) == 0).all(-1)
    assert blind.any()
    assert (out_of(problem, inputs)[blind] == 0).all()


@needs_it
def test_too_little_memory_is_no_fault() -> None:
    problem, limit = Problem.parse("h8 t4096 d16 full alibi"), 16 << 20
    inputs = make_inputs(problem, purpose="test")
    with pytest.raises(RuntimeError) as raised, limited_memory(limit, "cpu"):
        out_of(problem, inputs)
    assert _fault(raised.value, limit)[:2] == ("out_of_memory", "memory_limit")


@needs_it
@pytest.mark.parametrize("layout", ["bhtd", "bthd"])
def test_inputs_are_read_and_outputs_are_written_in_torch_s_memory(layout: str) -> None:
    problem = Problem.parse(f"b2 h4 t65 d16 full {layout}")
    x = make_inputs(problem, purpose="test")
    function = bind(ROW, problem, x)
    first = function(x.q, x.k, x.v)
    kept = first.clone()
    (second,), usage = measure(lambda: (function(-x.q, x.k, x.v),), "cpu")
    size = second.numel() * second.element_size()
    assert usage.peak_bytes == 2 * size  # -q and the output: no copies
    assert first.data_ptr() != second.data_ptr()
    assert torch.equal(first, kept)
    assert not torch.equal(first, second)
    assert unseen(ROW) == "memory of openvino is not seen by torch's allocator"


@needs_it
@pytest.mark.parametrize(("dtype", "precision"), [("fp32", "f32"), ("bf16", "bf16")])
def test_the_model_has_torch_s_threads_and_the_precision_of_the_problem(
    dtype: str, precision: str
) -> None:
    import openvino

    problem = Problem.parse(f"h2 t9 d16 causal {dtype}")
    core = openvino.Core()
    compiled = core.compile_model(adapter._model(problem), "CPU", adapter.settings(problem))
    assert compiled.get_property("INFERENCE_NUM_THREADS") == torch.get_num_threads()
    assert compiled.get_property("NUM_STREAMS") == 1
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    if dtype == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        precision = "f32"  # OpenVINO's choice on a CPU without these products
    expected = getattr(openvino.Type, precision)
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == expected


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("fp64", "dtype float64: takes float32, float16, bfloat16"),
        ("train", "training: forward only"),
        ("h4/2", "4 query heads over 2 key heads: needs as many of both"),
        ("softcap2", "softcap 2.0: takes scores as they are"),
        ("sink", "sink: takes a softmax over the keys alone"),
        ("cuda", "device cuda: runs on cpu"),
    ],
)
def test_what_the_node_does_not_compute_is_refused(words: str, reason: str) -> None:
    assert ROW.refusals(Problem.parse(words)) == (reason,)


def test_without_the_package_it_is_missing_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_found(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", not_found)
    assert impls.load([impls.FOLDER / "openvino.py"]) == {
        "openvino": Missing(
            "openvino",
            "openvino is not installed; install it with: "
            'python -m pip install -c constraints.txt -e ".[peers]"',
        )
    }


def test_it_starts_slowly_and_shares_a_process() -> None:
    assert (ROW.slow_start, ROW.apart) == (True, "")
