"""Attention layers of transformers models, answered by implementations: the answers stay equal."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
import torch
import transformers as hf
from torch import Tensor

from impls import one
from impls.bridges.model_attention import LayerRefusedError, ModelAttention
from impls.bridges.visible import Visible
from impls.interface import Mask
from run_bench import use
from suites.recording.recognising import Recogniser
from tests.bridges.small_models import (
    MODELS,
    SIZES,
    TOKENS,
    Made,
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


def gradients(
    model: Any, logits: Callable[[Any], Tensor], within: Callable[[Any], Any]
) -> dict[str, Tensor]:
    """The gradient of every parameter that has one, by name."""
    model.zero_grad()
    with within(model):
        logits(model).pow(2).sum().backward()  # type: ignore[no-untyped-call] # torch's
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def shares(of: Made, found: dict[str, Tensor]) -> dict[str, float]:
    """The error of each parameter's gradient over what is allowed, as `share` has it.

    A thousandth of the rounding of the largest gradient is for those that are zero in exact
    arithmetic: a constant that is added to all keys changes no weight.
    """
    own = gradients(of.model, of.logits, contextlib.nullcontext)
    double = copy.deepcopy(of.model).double()
    exact = gradients(double, of.logits, lambda model: use(model, "naive"))
    assert found.keys() == own.keys() == exact.keys()
    eps = torch.finfo(torch.float32).eps
    largest = eps * max(float(each.abs().max()) for each in exact.values())
    result = {}
    for name, right in exact.items():
        rounding = eps * float(right.abs().max()) + largest / 1000
        error = float((own[name] - right).abs().max())
        assert error <= ROUNDINGS * rounding, name
        result[name] = float((found[name] - right).abs().max()) / (FACTOR * (error + rounding))
    return result


WITH_TRAINED: Final = (
    "gpt-oss sinks",
    "t5 position bias",
    "swin shifted windows",
    "beit relative bias",
)
"""Models with a sink or a bias that is trained: `chunked` gives no gradient of them."""


@pytest.mark.parametrize("name", list(MODELS))
def test_gradients_of_all_parameters_are_the_same(name: str) -> None:
    of = MODELS[name]()
    spec = "naive" if name in WITH_TRAINED else "chunked"
    found = gradients(of.model, of.logits, lambda model: use(model, spec))
    assert max(shares(of, found).values()) <= 1


class HalvesGradients(ModelAttention):
    """The gradients of what is added to the scores are half of the right ones."""

    def _visible(self, *given: Any, **more: Any) -> Visible:
        seen = super()._visible(*given, **more)
        if seen.added is None:
            return seen
        return replace(seen, added=(seen.added + seen.added.detach()) / 2)


@pytest.mark.parametrize("name", [each for each in WITH_TRAINED if "bias" in each])
def test_a_wrong_gradient_of_a_bias_is_found(name: str) -> None:
    of = MODELS[name]()
    found = gradients(
        of.model, of.logits, lambda model: HalvesGradients(model, one("naive"), Recogniser())
    )
    wrong = {name for name, share in shares(of, found).items() if share > 100}
    assert wrong == {n for n, _ in of.model.named_parameters() if "relative" in n}


@pytest.mark.parametrize("spec", ["chunked", "sdpa_flash"])
@pytest.mark.parametrize("name", [each for each in WITH_TRAINED if each != "gpt-oss sinks"])
def test_a_trained_bias_without_a_gradient_is_refused(name: str, spec: str) -> None:
    of = MODELS[name]()
    said = rf"\S+: {spec} gives no gradient of the bias, which is trained"
    with pytest.raises(LayerRefusedError, match=said), use(of.model, spec):
        of.logits(of.model)
    with use(of.model, spec), torch.no_grad():
        of.logits(of.model)


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
