"""Attention layers of transformers models, answered by implementations: the answers stay equal."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor

from impls.bridges.model_attention import LayerRefusedError, ModelAttention
from run_bench import use
from suites.recording.recognising import Recogniser
from tests.bridges.small_models import (
    MODELS,
    SIZES,
    TOKENS,
    Made,
    decoder,
    made,
    padding,
    text,
)

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


FACTOR = 4.0
"""An honest implementation errs at most so many times as much as the model's own attention, with
so many roundings of the largest logit beside it."""
ROUNDINGS = 100.0
"""Most roundings that the model's own attention errs by: more would be another function."""


@torch.no_grad()
def share(of: Made, found: Tensor) -> float:
    """The error of logits over what is allowed.

    Errors are against the model in float64, with the definition in its layers: eager attention
    takes its softmax in float32.
    """
    own = of.logits(of.model)
    with use(copy.deepcopy(of.model).double(), "naive") as bridge:
        exact = of.logits(bridge.model)
    rounding = torch.finfo(own.dtype).eps * float(exact.abs().max())
    error = float((own - exact).abs().max())
    assert error <= ROUNDINGS * rounding
    return float((found - exact).abs().max()) / (FACTOR * (error + rounding))


@pytest.mark.parametrize("name", list(MODELS))
def test_the_logits_of_a_model_stay_equal(name: str) -> None:
    of = MODELS[name]()
    with use(of.model, "chunked") as bridge, torch.no_grad():
        found = of.logits(of.model)
    assert bridge.calls.total() == of.layers == len(bridge.layers)
    assert share(of, found) <= 1
    assert bridge.calls.total() == of.layers  # the model has its own attention back


class LosesPadding(ModelAttention):
    """Gives the implementation the mask without its padding."""

    def _seen(self, *given: Any, **more: Any) -> Any:
        k, v, mask = super()._seen(*given, **more)
        return k, v, type(mask)(left=mask.left, right=mask.right)


class DropsSink(ModelAttention):
    """Calls without the sinks."""

    def attend(self, *given: Any, **more: Any) -> Any:
        return super().attend(*given, **{**more, "s_aux": None})


class ShiftsCache(ModelAttention):
    """Reads keys one place further on."""

    def _seen(self, *given: Any, **more: Any) -> Any:
        k, v, mask = super()._seen(*given, **more)
        return k.roll(1, dims=2), v.roll(1, dims=2), mask


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (LosesPadding, "llama left"),
        (LosesPadding, "bert right"),
        (DropsSink, "gpt-oss sinks"),
        (ShiftsCache, "llama"),
    ],
)
def test_a_bridge_with_a_fault_changes_the_logits(kind: type[ModelAttention], name: str) -> None:
    of = MODELS[name]()
    with torch.no_grad(), kind(of.model, "naive", Recogniser()):
        found = of.logits(of.model)
    assert share(of, found) > 100


@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_generated_tokens_are_the_same(cache: str) -> None:
    model = made("LlamaForCausalLM", decoder("Llama"))
    prompt = {"input_ids": TOKENS[:, :10], "attention_mask": padding("left")[:, :10]}
    options: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    if cache == "static":
        options["cache_implementation"] = "static"
    expected = model.generate(**prompt, **options)
    with use(model, "chunked"):
        assert torch.equal(model.generate(**prompt, **options), expected)


def gradients(of: Made, within: Callable[[], Any]) -> dict[str, Tensor]:
    of.model.zero_grad()
    with within():
        of.logits(of.model).pow(2).sum().backward()  # type: ignore[no-untyped-call] # torch's
    return {n: p.grad.clone() for n, p in of.model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["llama left", "mistral window", "gemma2 softcap"])
def test_gradients_of_all_parameters_are_the_same(name: str) -> None:

    of = MODELS[name]()
    expected = gradients(of, contextlib.nullcontext)
    found = gradients(of, lambda: use(of.model, "chunked"))
    assert found.keys() == expected.keys()
    for each, own in expected.items():
        assert torch.allclose(found[each], own, rtol=1e-3, atol=1e-4 * float(own.abs().max())), each


WITHOUT_SINK_GRADIENT = """
from impls.interface import Limits, implementation
from impls.interface.limits import EVERY_MASK
from impls.naive import naive


@implementation(Limits(masks=EVERY_MASK, sink=True))
def constant_sink(q, k, v, *, mask, scale, sink=None):
    return naive.bound(mask=mask, scale=scale, sink=sink.detach())(q, k, v)
"""


def test_a_trained_sink_without_a_gradient_is_refused(tmp_path: Path) -> None:
    (tmp_path / "constant_sink.py").write_text(WITHOUT_SINK_GRADIENT)
    of = MODELS["gpt-oss sinks"]()
    said = "gives no gradient of the sink, which is trained"
    file = str(tmp_path / "constant_sink.py")
    with pytest.raises(LayerRefusedError, match=said), use(of.model, file):
        of.logits(of.model)


def test_a_trained_sink_has_the_gradient_of_the_definition() -> None:
    of = MODELS["gpt-oss sinks"]()
    expected, found = (gradients(of, lambda n=n: use(of.model, n)) for n in ("naive", "chunked"))
    name = "model.layers.0.self_attn.sinks"
    assert (expected[name] != 0).any()
    assert torch.allclose(found[name], expected[name], rtol=1e-3, atol=1e-5)


def test_a_model_that_never_calls_the_interface_is_named_with_its_count() -> None:
    config = hf.BloomConfig(vocab_size=64, hidden_size=64, n_layer=2, n_head=4)
    of = text("BloomForCausalLM", config, "none")
    said = "0 of 2 attention layers were called; BloomAttention"
    with pytest.raises(ValueError, match=said), use(of.model, "naive"):
        of.logits(of.model)


def test_dropout_in_training_is_refused_with_the_layer() -> None:
    of = text("BertForSequenceClassification", hf.BertConfig(**SIZES), "none")
    of.model.train()
    with (
        pytest.raises(LayerRefusedError, match=r"encoder\.layer\.0\.\S+: dropout 0\.1 in training"),
        use(of.model, "naive"),
    ):
        of.logits(of.model)


def test_a_position_bias_is_refused() -> None:
    config = hf.T5Config(vocab_size=64, d_model=64, d_kv=16, d_ff=64, num_layers=1, num_heads=4)
    model = made("T5EncoderModel", config)
    said = "position_bias is given, which no problem"
    with pytest.raises(LayerRefusedError, match=said), use(model, "naive"), torch.no_grad():
        model(input_ids=TOKENS)


def test_an_implementation_that_refuses_a_layer_says_which_and_why() -> None:
    of = MODELS["llama"]()
    said = r"layers\.0\.self_attn: local_window refuses b2"
    with pytest.raises(LayerRefusedError, match=said), use(of.model, "local_window"):
        of.logits(of.model)


def test_a_refusal_leaves_the_model_with_its_own_attention() -> None:
    of = MODELS["llama"]()
    before = of.model.config._attn_implementation
    with pytest.raises(LayerRefusedError), use(of.model, "local_window"), torch.no_grad():
        of.logits(of.model)
    assert of.model.config._attn_implementation == before


def test_a_module_of_another_library_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear is no model of transformers"):
        use(torch.nn.Linear(2, 2), "naive")


def test_a_window_without_a_mask_and_lengths_of_packing_are_refused() -> None:
    of = MODELS["mistral window"]()
    q, k = torch.zeros(1, 4, 1, 16), torch.zeros(1, 2, 12, 16)
    layer = of.model.model.layers[0].self_attn
    bridge = use(of.model, "naive")
    with pytest.raises(LayerRefusedError, match="a window of 8 without a mask"):
        bridge.attend(layer, q, k, k, None, sliding_window=8)
    out, _ = bridge.attend(layer, q, k, k, None, sliding_window=12)
    assert out.shape == (1, 1, 4, 16)
    with pytest.raises(LayerRefusedError, match="cu_seq_lens_q is given"):
        bridge.attend(layer, q, k, k, None, cu_seq_lens_q=torch.tensor([0, 1]))
    bridge.undo()
