"""Attention layers of transformers models, answered by implementations: the answers stay equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import torch
import transformers as hf

from impls import one
from impls.bridges.model_attention import ModelAttention
from impls.bridges.model_bridge import LayerRefusedError
from impls.bridges.visible import Visible
from impls.interface import Mask
from run_bench import use
from suites.recording.recognising import Recogniser
from tests.bridges.comparing import gradients, share, shares
from tests.bridges.small_models import (
    MODELS,
    SIZES,
    TOKENS,
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

    def _visible(self, *given: Any, **more: Any) -> Visible:
        seen = super()._visible(*given, **more)
        return replace(seen, mask=Mask(left=seen.mask.left, right=seen.mask.right))


class DropsSink(ModelAttention):
    """Calls without the sinks."""

    def attend(self, *given: Any, **more: Any) -> Any:
        return super().attend(*given, **{**more, "s_aux": None})


class ShiftsCache(ModelAttention):
    """Reads keys one place further on."""

    def _visible(self, *given: Any, **more: Any) -> Visible:
        seen = super()._visible(*given, **more)
        return replace(seen, k=seen.k.roll(1, dims=2), v=seen.v.roll(1, dims=2))


class DropsBias(ModelAttention):
    """Calls without what is added to the scores."""

    def _visible(self, *given: Any, **more: Any) -> Visible:
        return replace(super()._visible(*given, **more), added=None)


class BiasOfTheFirstWindow(ModelAttention):
    """Gives all batch rows the bias of the first one."""

    def _visible(self, layer: str, qkv: Any, mask: Any, bias: Any, **more: Any) -> Visible:
        return super()._visible(layer, qkv, mask[:1], bias, **more)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (LosesPadding, "llama left"),
        (LosesPadding, "bert right"),
        (DropsSink, "gpt-oss sinks"),
        (ShiftsCache, "llama"),
        (DropsBias, "t5 position bias"),
        (LosesPadding, "t5 position bias"),
        (DropsBias, "swin shifted windows"),
        (BiasOfTheFirstWindow, "swin shifted windows"),
        (DropsBias, "beit relative bias"),
        (DropsBias, "llama dense masks"),
        (BiasOfTheFirstWindow, "llama dense masks"),
    ],
)
def test_a_bridge_with_a_fault_changes_the_logits(kind: type[ModelAttention], name: str) -> None:
    of = MODELS[name]()
    with torch.no_grad(), kind(of.model, one("naive"), Recogniser()):
        found = of.logits(of.model)
    assert share(of, found) > 100


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("name", ["llama", "t5 position bias"])
def test_generated_tokens_are_the_same(name: str, cache: str) -> None:
    model = MODELS[name]().model
    prompt = {"input_ids": TOKENS[:, :10], "attention_mask": padding("left")[:, :10]}
    options: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    if cache == "static":
        options["cache_implementation"] = "static"
    expected = model.generate(**prompt, **options)
    with use(model, "chunked"):
        assert torch.equal(model.generate(**prompt, **options), expected)


WITH_TRAINED_BIAS: Final = (
    "t5 position bias",
    "swin shifted windows",
    "beit relative bias",
)
"""Models with a bias that is trained: `chunked` gives no gradient of it."""


@pytest.mark.parametrize("name", list(MODELS))
def test_gradients_of_all_parameters_are_the_same(name: str) -> None:
    of = MODELS[name]()
    spec = "naive" if name in WITH_TRAINED_BIAS else "chunked"
    found = gradients(of.model, of.logits, lambda model: use(model, spec))
    assert max(shares(of, found).values()) <= 1


class HalvesGradients(ModelAttention):
    """The gradients of what is added to the scores are half of the right ones."""

    def _visible(self, *given: Any, **more: Any) -> Visible:
        seen = super()._visible(*given, **more)
        if seen.added is None:
            return seen
        return replace(seen, added=(seen.added + seen.added.detach()) / 2)


@pytest.mark.parametrize("name", [each for each in WITH_TRAINED_BIAS if "bias" in each])
def test_a_wrong_gradient_of_a_bias_is_found(name: str) -> None:
    of = MODELS[name]()
    found = gradients(
        of.model, of.logits, lambda model: HalvesGradients(model, one("naive"), Recogniser())
    )
    wrong = {name for name, share in shares(of, found).items() if share > 100}
    assert wrong == {n for n, _ in of.model.named_parameters() if "relative" in n}


@pytest.mark.parametrize("spec", ["chunked", "sdpa_flash"])
@pytest.mark.parametrize("name", WITH_TRAINED_BIAS)
def test_a_trained_bias_without_a_gradient_is_refused(name: str, spec: str) -> None:
    of = MODELS[name]()
    said = rf"\S+: {spec} gives no gradient of the bias, which is trained"
    with pytest.raises(LayerRefusedError, match=said), use(of.model, spec):
        of.logits(of.model)
    with use(of.model, spec), torch.no_grad():
        of.logits(of.model)


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
