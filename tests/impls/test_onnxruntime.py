"""Every node computes what its limits accept; the session has torch's threads and never spins."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

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

adapter = importlib.import_module("impls.onnxruntime")
ROW: Implementation = adapter.onnxruntime
needs_it = pytest.mark.skipif(bool(ROW.library.fault), reason=ROW.library.fault)  # type: ignore[union-attr]  # it declares one

PROBLEMS = {
    "Attention": (
        "b2 h4/2 t65 d16 full",
        "b2 h4/2 t33/65 d16 causal bthd",
        "b2 h4 t65/33 d16 causal dv24 softcap3",
        "b2 h4 t65 d7 causal",
        "h2 t1/65 d16 causal bthd",
        "b3 h4/2 t33/65 d16 window:9:3+padding:0.5 alibi scale0.7",
        "b2 h4 t65 d16 causal relative:8 bthd",
        "b2 h4 t9 d16 causal+documents:4/3/2 relative:8",
        "h2 t33/65 d16 full alibi",
        "b2 h4/2 t65/33 d16 dense",
        "b3 h4 t33/65 d16 causal+padding:0.5 dense bthd",
    ),
    "MultiHeadAttention": (
        "b2 h4 t65 d16 full",
        "b2 h3 t33/65 d7 full bthd dv9 scale0.3",
        "h2 t65 d16 causal",
        "h2 t1/65 d16 causal",
    ),
    "GroupQueryAttention": (
        "b2 h4/2 t65 d16 causal",
        "b2 h4 t65 d8 window:9 sink softcap3 bthd scale0.3",
        "h4/1 t65 d16 window:500 sink",
    ),
}


def out_of(each: Implementation, problem: Problem, inputs: Inputs) -> torch.Tensor:
    assert each.refusals(problem) == ()
    return bind(each, problem, inputs)(inputs.q, inputs.k, inputs.v)


def exact(problem: Problem, x: Inputs) -> torch.Tensor:
    p, q, k, v = problem, *(each.double() for each in (x.q, x.k, x.v))
    return reference.attention(
        q,
        k,
        v,
        mask=p.mask.resolved(p.batch, p.key_length),
        scale=p.softmax_scale,
        bias=x.bias,
        softcap=p.softcap,
        sink=x.sink,
    )


@needs_it
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("operator", "text"), [(name, text) for name, texts in PROBLEMS.items() for text in texts]
)
def test_every_node_computes_the_definition(operator: str, text: str, dtype: str) -> None:
    problem = Problem.parse(f"{text} {dtype}")
    inputs = make_inputs(problem, purpose="test")
    out, expected = out_of(ROW.choosing(operator=operator), problem, inputs), exact(problem, inputs)
    assert (out.shape, out.dtype) == (expected.shape, inputs.q.dtype)
    assert (out - expected).norm() < 8 * torch.finfo(out.dtype).eps * expected.norm()


@needs_it
@pytest.mark.parametrize("text", ["h2 t65/33 d16 causal", "h2 t9 d16 causal+padding:9-9 alibi"])
def test_rows_without_a_key_are_zero(text: str) -> None:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    blind = (exact(problem, inputs) == 0).all(-1)
    assert blind.any()
    assert (out_of(ROW, problem, inputs)[blind] == 0).all()


@needs_it
def test_too_little_memory_is_no_fault() -> None:
    problem, limit = Problem.parse("h8 t4096 d16 full"), 16 << 20
    inputs = make_inputs(problem, purpose="test")
    with pytest.raises(RuntimeError) as raised, limited_memory(limit, "cpu"):
        out_of(ROW, problem, inputs)
    assert _fault(raised.value, limit)[:2] == ("out_of_memory", "memory_limit")


@needs_it
@pytest.mark.parametrize("layout", ["bhtd", "bthd"])
def test_inputs_are_read_and_outputs_are_written_in_torch_s_memory(layout: str) -> None:
    problem = Problem.parse(f"b2 h4/2 t65 d16 full {layout}")
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
    assert unseen(ROW) == "memory of onnxruntime is not seen by torch's allocator"


@needs_it
def test_a_prepared_mask_stays_alive_between_calls() -> None:
    problem = Problem.parse("b1 h2 t64 d16 window:9:3")
    x = make_inputs(problem, purpose="test")
    function = bind(ROW, problem, x)
    first = function(x.q, x.k, x.v)
    overwriting = [torch.full((64, 64), 7.0) for _ in range(100)]
    assert torch.equal(function(x.q, x.k, x.v), first)
    assert len(overwriting) == 100


@needs_it
def test_the_session_has_torch_s_threads_which_do_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    made: list[tuple[Any, Any]] = []
    session = onnxruntime.InferenceSession

    def recorded(model: bytes, options: Any, providers: list[str]) -> Any:
        made.append((options, providers))
        return session(model, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", recorded)
    ROW.prepared(Problem.parse("h2 t9 d16 causal"))
    ((options, providers),) = made
    assert options.intra_op_num_threads == torch.get_num_threads()
    assert options.inter_op_num_threads == 1
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert providers == ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("operator", "words", "reason"),
    [
        ("", "bf16", "dtype bfloat16: takes float32, float16"),
        ("", "fp64", "dtype float64: takes float32, float16"),
        ("", "train", "training: forward only"),
        ("", "sink", "sink: takes a softmax over the keys alone"),
        ("", "cuda", "device cuda: runs on cpu"),
        ("MultiHeadAttention", "h4/2", "4 query heads over 2 key heads: needs as many of both"),
        (
            "MultiHeadAttention",
            "t33/65 causal",
            "mask causal with Tq 33 and Tk 65: takes full where the lengths differ",
        ),
        ("GroupQueryAttention", "t33/65 causal", "Tq 33 and Tk 65: takes equal lengths"),
        ("GroupQueryAttention", "full", "mask full: takes causal, window"),
        ("GroupQueryAttention", "window:9:3", "mask window:9:3: takes causal windows only"),
        ("GroupQueryAttention", "d12 causal", "head dimension 12: takes 8 to 1024 by 8"),
    ],
)
def test_what_a_node_does_not_compute_is_refused(operator: str, words: str, reason: str) -> None:
    each = ROW.choosing(operator=operator) if operator else ROW
    assert each.refusals(Problem.parse(words)) == (reason,)


@needs_it
def test_a_causal_mask_of_the_node_is_top_left() -> None:
    """Why causal masks with Tq != Tk are tensors."""
    import onnxruntime
    from onnx import TensorProto, helper

    q = torch.randn(1, 1, 2, 8, generator=torch.Generator().manual_seed(1))
    k = v = torch.randn(1, 1, 5, 8, generator=torch.Generator().manual_seed(2))
    described = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Attention", ["q", "k", "v"], ["out"], is_causal=1)],
        "causal",
        [described(n, TensorProto.FLOAT, x.shape) for n, x in (("q", q), ("k", k), ("v", v))],
        [described("out", TensorProto.FLOAT, None)],
    )
    domain = [helper.make_opsetid("", adapter.OPSET)]
    model = helper.make_model(graph, opset_imports=domain, ir_version=adapter.IR_VERSION)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (out,) = session.run(None, {"q": q.numpy(), "k": k.numpy(), "v": v.numpy()})
    assert torch.allclose(torch.from_numpy(out)[0, 0, 0], v[0, 0, 0])


def test_the_node_is_named_beside_results() -> None:
    problem = Problem.parse("h2 t9 d16 causal")
    assert ROW.remarks(problem) == ("computed by the ONNX node Attention",)
    chosen = ROW.choosing(operator="GroupQueryAttention")
    assert chosen.remarks(problem) == ("computed by the ONNX node GroupQueryAttention",)


@pytest.mark.parametrize("absent", ["onnxruntime", "onnx"])
def test_without_its_packages_it_is_missing_with_the_line_that_installs_them(
    absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == absent:
            raise importlib.metadata.PackageNotFoundError(name)
        return "9.9"

    monkeypatch.setattr(importlib.metadata, "version", version)
    path = impls.FOLDER / "onnxruntime.py"
    assert impls.load([path]) == {
        "onnxruntime": Missing(
            "onnxruntime",
            f"{absent} is not installed; install it with: "
            'python -m pip install -c constraints.txt -e ".[peers]"',
        )
    }


def test_it_starts_slowly_and_shares_a_process() -> None:
    assert (ROW.slow_start, ROW.apart) == (True, "")
