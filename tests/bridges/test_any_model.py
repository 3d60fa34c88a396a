"""The bridge for a model: by the interface of transformers, by torch's function, or by both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
import transformers as hf
from torch import Tensor, nn

from impls import one
from impls.bridges.any_model import MixedAttention, bridged
from impls.bridges.model_attention import ModelAttention
from impls.bridges.model_bridge import LayerRefusedError, ModelBridge
from impls.bridges.sdpa_attention import SdpaAttention
from run_bench import use
from suites.recording.recognising import Recogniser
from tests.bridges.comparing import share
from tests.bridges.small_models import (
    IMAGES,
    SIZES,
    TOKENS,
    Made,
    configured,
    decoder,
    like,
    made,
    padding,
    text,
)
from tests.bridges.torch_models import TOKENS as EMBEDDED
from tests.bridges.torch_models import WIDTH, Blocks, seeded

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

VISION: Final[dict[str, Any]] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}


class Classifier(nn.Module):
    """A hand-written head on an encoder of transformers."""

    def __init__(self, way: str = "sdpa") -> None:
        super().__init__()
        bert: Any = hf.BertModel
        self.encoder = bert._from_config(hf.BertConfig(**SIZES), attn_implementation=way)
        self.head = nn.Linear(64, 2)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """[B, T] to [B, 2]."""
        return self.head(self.encoder(tokens, attention_mask=mask).last_hidden_state[:, 0])


def falcon() -> Made:
    """One key head that broadcasts, and torch's function in its own layers."""
    sizes = {**SIZES, "num_kv_heads": 1}
    config = configured("FalconConfig", **sizes)
    mask = padding("left")
    return Made(
        seeded(lambda: hf.FalconForCausalLM(config)),
        lambda model: model(TOKENS, attention_mask=mask).logits[mask.bool()],
        2,
    )


def aim() -> Made:
    """Layers by the interface, and a pooling head by torch's function."""
    config = configured("Aimv2VisionConfig", **VISION, intermediate_size=32)
    return Made(
        seeded(lambda: hf.Aimv2VisionModel(config)),
        lambda model: model(like(model, IMAGES)).pooler_output,
        3,
    )


def classifier() -> Made:
    """An encoder of transformers in a module of torch."""
    return Made(seeded(Classifier), lambda model: model(TOKENS, padding("right")), 2)


def llama() -> Made:
    """Layers by the interface alone."""
    return text("LlamaForCausalLM", decoder("Llama"), "left")


MODELS: Final[dict[str, tuple[Callable[[], Made], type[ModelBridge]]]] = {
    "falcon": (falcon, SdpaAttention),
    "aim": (aim, MixedAttention),
    "classifier": (classifier, SdpaAttention),
    "llama": (llama, ModelAttention),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_each_model_goes_by_what_it_calls(name: str) -> None:
    make, kind = MODELS[name]
    of = make()
    with use(of.model, "chunked") as bridge, torch.no_grad():
        found = of.logits(of.model)
    assert type(bridge) is kind
    assert bridge.calls.total() == of.layers == len(bridge.layers)
    assert share(of, found) <= 1
    assert bridge.calls.total() == of.layers


@pytest.mark.parametrize("name", list(MODELS))
def test_a_function_around_each_call_gets_the_layer(name: str) -> None:
    of = MODELS[name][0]()
    seen: list[str] = []

    def around(layer: str, function: Any) -> Any:
        seen.append(layer)
        return function

    with bridged(of.model, one("naive"), Recogniser(), around) as bridge, torch.no_grad():
        of.logits(of.model)
    assert sorted(seen) == sorted(bridge.layers)


def test_an_implementation_that_calls_torch_answers_both_kinds_of_layers_once() -> None:
    of = aim()
    with use(of.model, "sdpa_math") as bridge, torch.no_grad():
        of.logits(of.model)
    assert set(bridge.calls.values()) == {1}


def test_a_layer_of_a_mixed_model_that_did_not_run_is_named_with_the_count() -> None:
    of = aim()
    said = "2 of 3 attention layers were called; Aimv2AttentionPoolingHead was not called"
    with pytest.raises(ValueError, match=said), use(of.model, "naive"), torch.no_grad():
        of.model.encoder(of.model.embeddings(IMAGES))


def test_a_mixed_model_has_its_own_attention_back() -> None:
    of = aim()
    before = of.model.config._attn_implementation
    bridge = use(of.model, "naive")
    assert of.model.config._attn_implementation != before
    bridge.undo()
    assert of.model.config._attn_implementation == before
    assert not any(each._forward_hooks for each in of.model.modules())


def test_eager_layers_in_a_module_of_torch_are_refused_with_the_remedy() -> None:
    model = seeded(lambda: Classifier("eager"))
    said = r"layer\.0\.attention\.self: .* attn_implementation is 'eager', and 'sdpa' calls it"
    with pytest.raises(LayerRefusedError, match=said), use(model, "naive"):
        model(TOKENS, padding("right"))


def test_a_bias_in_the_mask_is_refused() -> None:
    model = seeded(lambda: hf.FalconModel(configured("FalconConfig", **SIZES, alibi=True)))
    said = "self_attention: a bias, alibi"
    with pytest.raises(LayerRefusedError, match=said), use(model, "naive"), torch.no_grad():
        model(TOKENS)


def test_a_model_that_never_calls_torch_is_named_with_its_count() -> None:
    config = hf.BloomConfig(vocab_size=64, hidden_size=64, n_layer=2, n_head=4)
    model = made("BloomForCausalLM", config)
    said = "0 of 2 attention layers were called; BloomAttention computes attention by itself"
    with pytest.raises(ValueError, match=said), use(model, "naive"):
        model(TOKENS)


class Hidden(nn.Module):
    """A layer whose code does not show which function it calls."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, E] to [B, T, E]."""
        heads = x.view(*x.shape[:2], 4, -1).transpose(1, 2)
        out: Tensor = getattr(nn.functional, self.function)(heads, heads, heads)
        return out.transpose(1, 2).flatten(2)


def test_all_layers_of_a_class_that_made_a_call_must_make_one() -> None:
    model = nn.Sequential(*(Hidden("scaled_dot_product_attention") for _ in range(2)))
    with use(model, "naive") as bridge:
        model(EMBEDDED)
    assert bridge.layers == ["0", "1"]
    said = "1 of 2 attention layers were called; Hidden was not called"
    with pytest.raises(ValueError, match=said), use(model, "naive"):
        model[1](EMBEDDED)


def test_a_layer_around_an_attention_layer_is_none_itself() -> None:
    class Outer(Blocks):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) == 0:
                return nn.functional.scaled_dot_product_attention(x, x, x)
            return super().forward(x)

    model = seeded(Outer)
    with use(model, "naive") as bridge:
        model(EMBEDDED)
    assert bridge.layers == ["blocks.0.attention", "blocks.1.attention"]
    assert EMBEDDED.shape[-1] == WIDTH
