"""Calls of torch in this process: each is recorded once, as the problem that it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from suites.recording.in_process import recorded
from suites.records import workload
from suites.records.workload import Workload
from tests.recording.counting import counts

functional: Any = nn.functional
ORIGINAL = functional.scaled_dot_product_attention


def qkv(*shape: int, grad: bool = False) -> list[Tensor]:
    return [torch.randn(*shape or (2, 4, 16, 8), requires_grad=grad) for _ in range(3)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "workload.jsonl"


def calls_of(function: Any, file: Path) -> Workload:
    with recorded(file):
        function()
    return workload.read(file)


def test_a_loop_is_counted_by_problem_and_place(file: Path) -> None:
    def loop() -> None:
        for _ in range(3):
            functional.scaled_dot_product_attention(*qkv())
        functional.scaled_dot_product_attention(*qkv(), is_causal=True)

    found = calls_of(loop, file)
    assert counts(found) == {"b2 h4 t16 d8 full fp32 cpu": 3, "b2 h4 t16 d8 causal fp32 cpu": 1}
    place = found.calls[0].place
    assert place.endswith(" loop")
    assert "test_recorded_calls.py:" in place
    assert found.calls[0].took_ms > 0
    assert found.calls[0].strides == ((512, 128, 8, 1),) * 3


@pytest.mark.parametrize(
    ("backend", "implementation"),
    [(SDPBackend.MATH, "sdpa_math"), (SDPBackend.FLASH_ATTENTION, "sdpa_flash")],
)
def test_a_context_for_one_backend_is_recorded(
    backend: SDPBackend, implementation: str, file: Path
) -> None:
    def call() -> None:
        with sdpa_kernel(backend):
            functional.scaled_dot_product_attention(*qkv())

    (found,) = calls_of(call, file).calls
    assert workload.is_pinned(found.by)
    assert workload.measured_by(found.by) == implementation
    (free,) = calls_of(lambda: functional.scaled_dot_product_attention(*qkv()), file).calls
    assert not workload.is_pinned(free.by)
    assert workload.measured_by(free.by) == "sdpa"


def test_what_was_patched_is_put_back(file: Path) -> None:
    calls_of(lambda: functional.scaled_dot_product_attention(*qkv()), file)
    assert not hasattr(functional.scaled_dot_product_attention, "original")
    assert ORIGINAL is functional.scaled_dot_product_attention
    assert torch._C._nn.scaled_dot_product_attention is ORIGINAL
    assert "__call__" not in vars(nn.MultiheadAttention)


def test_a_name_imported_before_is_recorded_too(file: Path) -> None:
    assert counts(calls_of(lambda: ORIGINAL(*qkv()), file)) == {"b2 h4 t16 d8 full fp32 cpu": 1}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dropout_p": 0.25}, "dropout 0.25"),
        ({"scale": 0.5}, "b2 h4 t16 d8 full scale0.5 fp32 cpu"),
        ({"scale": 8**-0.5}, "b2 h4 t16 d8 full fp32 cpu"),
        ({"scale": -1.0}, "scale is -1, expected more than 0, and finite"),
        ({"attn_mask": torch.ones(16, 16).tril().bool()}, "b2 h4 t16 d8 causal fp32 cpu"),
        ({"attn_mask": torch.rand(16, 16)}, "dense bias"),
    ],
)
def test_arguments_become_fields_or_a_reason(
    file: Path, change: dict[str, Any], expected: str
) -> None:
    found = calls_of(lambda: functional.scaled_dot_product_attention(*qkv(), **change), file)
    assert counts(found) == {expected: 1}


@pytest.mark.parametrize(
    ("shapes", "options", "expected"),
    [
        (((2, 4, 16, 8), (2, 2, 16, 8)), {"enable_gqa": True}, "b2 h4/2 t16 d8 full fp32 cpu"),
        (((4, 16, 8), (4, 16, 8)), {}, "b4 h1 t16 d8 full fp32 cpu"),
        (((16, 8), (16, 8)), {}, "b1 h1 t16 d8 full fp32 cpu"),
        (((2, 4, 16, 8), (1, 4, 16, 8)), {}, "broadcast batches"),
        (((2, 4, 16, 8), (2, 4, 9, 8)), {"is_causal": True}, "b2 h4 t16/9 d8 window:*:7 fp32 cpu"),
        (((2, 4, 9, 8), (2, 4, 16, 8)), {"is_causal": True},
         "is_causal with fewer queries than keys"),
    ],
)  # fmt: skip
def test_shapes_become_fields_or_a_reason(
    file: Path, shapes: Any, options: dict[str, Any], expected: str
) -> None:
    q, k = (torch.randn(shape) for shape in shapes)
    found = calls_of(lambda: functional.scaled_dot_product_attention(q, k, k, **options), file)
    assert counts(found) == {expected: 1}


def test_a_transposed_view_is_bthd(file: Path) -> None:
    views = [torch.randn(2, 16, 4, 8).transpose(1, 2) for _ in range(3)]
    packed = torch.randn(2, 16, 3, 4, 8).permute(2, 0, 3, 1, 4)

    def both() -> None:
        functional.scaled_dot_product_attention(*views)
        functional.scaled_dot_product_attention(*packed)

    assert counts(calls_of(both, file)) == {"b2 h4 t16 d8 full fp32 bthd cpu": 2}


def test_one_head_expanded_to_many_is_one_head(file: Path) -> None:
    q, k = torch.randn(2, 4, 16, 8), torch.randn(2, 1, 16, 8).expand(2, 4, 16, 8)
    found = calls_of(lambda: functional.scaled_dot_product_attention(q, k, k), file)
    assert counts(found) == {"b2 h4/1 t16 d8 full fp32 cpu": 1}


def test_autocast_decides_about_the_dtype(file: Path) -> None:
    def call() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            functional.scaled_dot_product_attention(*qkv())

    assert counts(calls_of(call, file)) == {"b2 h4 t16 d8 full bf16 cpu": 1}


def test_a_backward_pass_makes_it_training_and_is_timed(file: Path) -> None:
    def calls() -> None:
        tensors = qkv(grad=True)
        for backward in (True, True, False):
            out = functional.scaled_dot_product_attention(*tensors)
            if backward:
                out.sum().backward()
        with torch.no_grad():
            functional.scaled_dot_product_attention(*tensors)

    found = calls_of(calls, file)
    assert [(str(c.problem).split()[-2:], c.count, c.grad) for c in found.calls] == [
        (["train", "cpu"], 2, True),
        (["fp32", "cpu"], 1, True),
        (["fp32", "cpu"], 1, False),
    ]
    assert [each.backward_ms is None for each in found.calls] == [False, True, True]


def test_optimizer_steps_are_counted_and_timed(file: Path) -> None:
    layer = nn.Linear(8, 8)
    optimizer = torch.optim.SGD(layer.parameters())

    def train() -> None:
        for _ in range(4):
            tensors = [layer(each) for each in qkv()]
            functional.scaled_dot_product_attention(*tensors).sum().backward()
            optimizer.step()

    header = calls_of(train, file).header
    assert (header.steps, len(header.step_ms), min(header.step_ms) > 0) == (4, 3, True)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("masked", ["", "src_key_padding_mask", "mask"])
def test_an_encoder_counts_each_layer_once(
    file: Path, masked: str, *, training: bool, gradients: bool
) -> None:
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 3).train(training)
    source = torch.randn(2, 16, 32)
    hidden = torch.zeros(2, 16, dtype=torch.bool)
    hidden[0, 10:] = True
    later = torch.ones(16, 16, dtype=torch.bool).triu(1)
    options = {"src_key_padding_mask": hidden, "mask": later}.get(masked)

    def call() -> None:
        with torch.set_grad_enabled(gradients):
            encoder(source, **({masked: options} if masked else {}))

    mask = {"": "full", "src_key_padding_mask": "padding:0-10/0-16", "mask": "causal"}[masked]
    found = calls_of(call, file)
    by = {each.by for each in found.calls}
    assert sum(counts(found).values()) == 3
    assert {str(each.problem.mask) for each in found.calls} == {mask}
    fast = not training and not gradients
    assert by == {"_transformer_encoder_layer_fwd" if fast else "scaled_dot_product_attention"}


@pytest.mark.parametrize("batch_first", [False, True])
def test_multihead_attention_that_returns_weights_is_recorded_once(
    file: Path, *, batch_first: bool
) -> None:
    layer = nn.MultiheadAttention(32, 4, batch_first=batch_first)
    query, memory = torch.randn(2, 16, 32), torch.randn(2, 24, 32)
    if not batch_first:
        query, memory = query.transpose(0, 1), memory.transpose(0, 1)
    hidden = torch.zeros(2, 24, dtype=torch.bool)
    hidden[1, 20:] = True

    def call() -> None:
        layer(query, memory, memory)
        layer(query, memory, memory, key_padding_mask=hidden)
        layer(query, memory, memory, need_weights=False)

    found = calls_of(call, file)
    assert [(each.by, str(each.problem.mask)) for each in found.calls] == [
        ("MultiheadAttention", "full"),
        ("MultiheadAttention", "padding:0-24/0-20"),
        ("scaled_dot_product_attention", "full"),
    ]
    assert {(p.batch, p.query_heads, p.query_length, p.key_length, p.head_dim)
            for p in (each.problem for each in found.calls)} == {(2, 4, 16, 24, 8)}  # fmt: skip


def test_the_fast_path_of_multihead_attention_is_recorded_once(file: Path) -> None:
    layer = nn.MultiheadAttention(32, 4, batch_first=True).eval()
    source = torch.randn(2, 16, 32)

    def call() -> None:
        with torch.no_grad():
            layer(source, source, source)

    found = calls_of(call, file)
    assert [each.by for each in found.calls] == ["_native_multi_head_attention"]
    assert counts(found) == {"b2 h4 t16 d8 full fp32 cpu": 1}


def test_dropout_of_multihead_attention_is_named(file: Path) -> None:
    layer = nn.MultiheadAttention(32, 4, dropout=0.5)
    source = torch.randn(16, 2, 32)
    assert counts(calls_of(lambda: layer(source, source, source), file)) == {"dropout 0.5": 1}


def test_results_and_errors_are_the_scripts_own(file: Path) -> None:
    tensors = qkv()
    expected = functional.scaled_dot_product_attention(*tensors)

    def call() -> None:
        assert torch.equal(functional.scaled_dot_product_attention(*tensors), expected)
        with pytest.raises(RuntimeError):
            functional.scaled_dot_product_attention(tensors[0], tensors[1][..., :3], tensors[2])
        with pytest.raises(TypeError):
            functional.scaled_dot_product_attention(tensors[0])

    assert sum(counts(calls_of(call, file)).values()) == 1


def test_a_block_that_raises_leaves_its_calls(file: Path) -> None:
    def fails() -> None:
        functional.scaled_dot_product_attention(*qkv())
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        calls_of(fails, file)
    assert counts(workload.read(file)) == {"b2 h4 t16 d8 full fp32 cpu": 1}


def test_a_block_without_attention_is_an_error_and_writes_nothing(file: Path) -> None:
    file.write_text("kept")
    with pytest.raises(ValueError, match="made no attention call"), recorded(file):
        torch.ones(3).sum()
    assert file.read_text() == "kept"


def test_compiled_and_scripted_code_runs_as_before(file: Path) -> None:
    tensors = qkv()

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(q, k, v)

    expected = attend(*tensors)

    def calls() -> None:
        compiled = torch.compile(attend, backend="aot_eager", fullgraph=True)
        assert torch.equal(compiled(*tensors), expected)
        trace: Any = torch.jit.trace
        traced = trace(attend, tuple(tensors), check_trace=False)
        assert torch.equal(traced(*tensors), expected)
        attend(*tensors)

    with pytest.warns(DeprecationWarning, match="jit"):
        found = calls_of(calls, file)
    assert counts(found) == {"b2 h4 t16 d8 full fp32 cpu": 1}


def test_layers_are_scripted_as_before(file: Path) -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 16, batch_first=True).eval()
    source = torch.ones(1, 4, 16)

    def calls() -> None:
        with torch.no_grad():
            scripted = torch.jit.script(layer)
            assert torch.equal(scripted(source), layer(source))
            torch.jit.script(nn.MultiheadAttention(16, 2))

    with pytest.warns(DeprecationWarning, match="jit"):
        found = calls_of(calls, file)
    assert counts(found) == {"b1 h2 t4 d8 full fp32 cpu": 1}


@pytest.mark.parametrize(
    ("side", "queries", "keys", "mask"),
    [("upper_left", 16, 8, "window:*:8"), ("lower_right", 8, 16, "causal")],
)
def test_a_causal_bias_of_torch_is_one_call(
    file: Path, side: str, queries: int, keys: int, mask: str
) -> None:
    from torch.nn.attention import bias

    q, k = torch.randn(1, 2, queries, 8), torch.randn(1, 2, keys, 8)
    given = getattr(bias, f"causal_{side}")(queries, keys)
    found = calls_of(lambda: functional.scaled_dot_product_attention(q, k, k, given), file)
    assert counts(found) == {f"b1 h2 t{queries}/{keys} d8 {mask} fp32 cpu": 1}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_tensors_that_are_not_plain_are_named(file: Path) -> None:
    rows = [torch.ones(5, 4, 8), torch.ones(7, 4, 8)]
    nested = torch.nested.nested_tensor(rows, layout=torch.jagged).transpose(1, 2)
    meta = torch.empty(2, 4, 16, 8, device="meta")

    def calls() -> None:
        functional.scaled_dot_product_attention(nested, nested, nested)
        functional.scaled_dot_product_attention(meta, meta, meta)

    named = list(counts(calls_of(calls, file)))
    assert [each.split(";")[0] for each in named] == [
        "tensors of the class NestedTensor", "unknown device 'meta'"
    ]  # fmt: skip


def test_a_failure_of_the_recorder_is_noted_and_does_not_stop_the_script(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suites.recording.site.attnbench_recorder import sdpa

    def fails(*_: Any) -> str:
        raise KeyError("mine")

    def calls() -> None:
        functional.scaled_dot_product_attention(*qkv()[:1] * 3, is_causal=True)
        monkeypatch.setattr(sdpa, "unexpressed", fails)
        functional.scaled_dot_product_attention(*qkv())

    assert sum(counts(calls_of(calls, file)).values()) == 1
