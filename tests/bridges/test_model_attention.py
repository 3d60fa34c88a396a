"""Attention layers of transformers models, answered by implementations: the answers stay equal."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
import transformers as hf

from impls import one
from impls.bridges.model_attention import ModelAttention
from impls.bridges.model_bridge import LayerRefusedError
from run_bench import use
from suites.recording.recognising import Recogniser
from tests.bridges.comparing import gradients, share
from tests.bridges.small_models import (
    MODELS,
    SIZES,
    TOKENS,
    decoder,
    made,
    padding,
    text,
)

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


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
    with torch.no_grad(), kind(of.model, one("naive"), Recogniser()):
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


@pytest.mark.parametrize("name", ["llama left", "mistral window", "gemma2 softcap"])
def test_gradients_of_all_parameters_are_the_same(name: str) -> None:

    of = MODELS[name]()
    expected = gradients(of, contextlib.nullcontext)
    found = gradients(of, lambda: use(of.model, "chunked"))
    assert found.keys() == expected.keys()
    for each, own in expected.items():
        assert torch.allclose(found[each], own, rtol=1e-3, atol=1e-4 * float(own.abs().max())), each


def test_a_trained_sink_without_a_gradient_is_refused() -> None:
    of = MODELS["gpt-oss sinks"]()
    said = "gives no gradient of the sink, which is trained"
    with pytest.raises(LayerRefusedError, match=said), use(of.model, "chunked"):
        of.logits(of.model)
    with use(of.model, "naive"):
        of.logits(of.model).sum().backward()  # type: ignore[no-untyped-call] # torch's
    assert of.model.model.layers[0].self_attn.sinks.grad is not None


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


def test_a_window_without_a_mask_and_lengths_of_packing_are_refused() -> None:
    of = MODELS["mistral window"]()
    q, k = torch.zeros(1, 4, 1, 16), torch.zeros(1, 2, 12, 16)
    layer = of.model.model.layers[0].self_attn
    bridge = ModelAttention(of.model, one("naive"), Recogniser())
    with pytest.raises(LayerRefusedError, match="a window of 8 without a mask"):
        bridge.attend(layer, q, k, k, None, sliding_window=8)
    out, _ = bridge.attend(layer, q, k, k, None, sliding_window=12)
    assert out.shape == (1, 1, 4, 16)
    with pytest.raises(LayerRefusedError, match="cu_seq_lens_q is given"):
        bridge.attend(layer, q, k, k, None, cu_seq_lens_q=torch.tensor([0, 1]))
    bridge.undo()
