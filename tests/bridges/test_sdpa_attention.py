"""Calls of scaled_dot_product_attention inside models, answered by one implementation."""

from __future__ import annotations

import contextlib
import copy
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from impls import one
from impls.bridges.model_bridge import LayerRefusedError
from impls.bridges.sdpa_attention import SdpaAttention
from run_bench import use
from suites.recording.recognising import Recogniser
from tests.bridges.comparing import gradients, share
from tests.bridges.test_substitution import mixed
from tests.bridges.torch_models import (
    HEADS,
    LENGTH,
    MODELS,
    PADDED,
    TOKENS,
    WIDTH,
    Blocks,
    causal_padded,
    encoder,
    encoder_layer,
    of_tokens,
    seeded,
)

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

TORCH: Final = (
    functional.scaled_dot_product_attention,
    torch.backends.mha.get_fastpath_enabled,
)
"""In a tuple: a global would be replaced in the context, too."""


@pytest.fixture(autouse=True)
def torch_is_as_before() -> Iterator[None]:
    yield
    now = functional.scaled_dot_product_attention, torch.backends.mha.get_fastpath_enabled
    assert now == TORCH


@pytest.mark.parametrize("name", list(MODELS))
def test_the_outputs_of_a_model_stay_equal(name: str) -> None:
    of = MODELS[name]()
    with use(of.model, "chunked") as bridge, torch.no_grad():
        found = of.logits(of.model)
    assert bridge.calls.total() == of.layers == len(bridge.layers)
    assert share(of, found) <= 1
    assert bridge.calls.total() == of.layers  # the model has its own attention back


class LosesMask(SdpaAttention):
    """Calls without the mask."""

    def of(self, q: Any, k: Any, v: Any, mask: Any, *options: Any) -> Any:
        return super().of(q, k, v, None, *options)


class ChangesScale(SdpaAttention):
    """Calls with twice the usual scale."""

    def of(self, q: Any, k: Any, v: Any, mask: Any, *options: Any) -> Any:
        dropout_p, is_causal, _, enable_gqa = options
        scale = 2 * q.shape[-1] ** -0.5
        return super().of(q, k, v, mask, dropout_p, is_causal, scale, enable_gqa)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (LosesMask, "unet cross-attention"),
        (LosesMask, "encoder right"),
        (LosesMask, "causal left"),
        (LosesMask, "encoder decoder"),
        (ChangesScale, "dit"),
        (ChangesScale, "unet cross-attention"),
        (ChangesScale, "vision"),
    ],
)
def test_a_bridge_with_a_fault_changes_the_outputs(kind: type[SdpaAttention], name: str) -> None:
    of = MODELS[name]()
    with torch.no_grad(), kind(of.model, one("naive"), Recogniser()):
        found = of.logits(of.model)
    assert share(of, found) > 100


@pytest.mark.parametrize("name", ["dit", "unet cross-attention", "encoder right", "causal left"])
def test_gradients_of_all_parameters_are_the_same(name: str) -> None:
    of = MODELS[name]()
    expected = gradients(of, contextlib.nullcontext)
    found = gradients(of, lambda: use(of.model, "chunked"))
    assert found.keys() == expected.keys()
    largest = max(float(own.abs().max()) for own in expected.values())
    for each, own in expected.items():
        assert torch.allclose(found[each], own, rtol=1e-3, atol=1e-5 * largest), each


def test_a_recomputed_layer_is_answered_in_the_backward_pass_too() -> None:
    class Checkpointed(Blocks):
        def forward(self, x: Tensor) -> Tensor:
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False)
            return x

    of = of_tokens(Checkpointed)
    expected = gradients(of, contextlib.nullcontext)
    with use(of.model, "chunked") as bridge:
        found = gradients(of, contextlib.nullcontext)
    assert bridge.calls.total() == 4
    for each, own in expected.items():
        assert torch.allclose(found[each], own, rtol=1e-3, atol=1e-5), each


def test_dropout_in_training_is_refused_with_the_layer() -> None:
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(WIDTH, HEADS, 48, dropout=0.1, batch_first=True), 1
    )
    said = r"layers\.0\.self_attn: dropout 0\.1 in training; set the attention dropout"
    with pytest.raises(LayerRefusedError, match=said), use(model, "naive"):
        model(TOKENS)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (torch.eye(LENGTH).bool() | torch.eye(LENGTH).bool().flip(0), "dense mask"),
        (torch.linspace(-1, 1, LENGTH).expand(LENGTH, -1), "dense bias"),
        (torch.zeros(LENGTH, LENGTH, requires_grad=True), "a mask that is trained"),
    ],
)
def test_a_mask_that_is_none_of_the_grammar_is_refused_with_the_layer(
    mask: Tensor, said: str
) -> None:
    of = of_tokens(lambda: Blocks(mask))
    with (
        pytest.raises(LayerRefusedError, match=rf"blocks\.0\.attention: {said}"),
        use(of.model, "naive"),
        torch.no_grad(),
    ):
        of.logits(of.model)


def test_an_implementation_that_refuses_a_call_says_which_and_why() -> None:
    of = MODELS["vision"]()
    said = r"layers\.blocks\.0\.attention: b2 h4 t17 d8 .*local_window refuses it: \S+"
    with pytest.raises(LayerRefusedError, match=said), use(of.model, "local_window"):
        of.logits(of.model)


def test_a_layer_that_computes_its_weights_itself_is_refused_with_the_remedy() -> None:
    layer = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    said = "MultiheadAttention: it was called and made no call of .*need_weights=False"
    with pytest.raises(LayerRefusedError, match=said), use(layer, "naive"):
        layer(TOKENS, TOKENS, TOKENS)
    with use(layer, "naive") as bridge:
        layer(TOKENS, TOKENS, TOKENS, need_weights=False)
    assert bridge.layers == [""]


class MatmulAttention(nn.Module):
    """Attention by matrix products."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(x @ x.mT, -1) @ x


def test_layers_that_compute_attention_themselves_are_named_with_their_count() -> None:
    model = seeded(lambda: nn.Sequential(Blocks(), MatmulAttention()))
    said = r"2 of 3 attention layers were called; MatmulAttention was not called, or computes"
    with pytest.raises(ValueError, match=said), use(model, "naive"), torch.no_grad():
        model(TOKENS)


def test_layers_that_did_not_run_are_named_with_their_count() -> None:
    of = of_tokens(Blocks)
    said = "1 of 2 attention layers were called; SelfAttention was not called"
    with pytest.raises(ValueError, match=said), use(of.model, "naive"), torch.no_grad():
        of.model.blocks[0](TOKENS)


def test_a_model_without_any_call_is_an_error() -> None:
    said = "0 of 0 attention layers were called; Linear"
    with pytest.raises(ValueError, match=said), use(nn.Linear(WIDTH, WIDTH), "naive") as bridge:
        bridge.model(TOKENS)


def test_another_processor_of_diffusers_is_named_with_its_count() -> None:
    from diffusers.models.attention_processor import AttnProcessor

    of = MODELS["unet cross-attention"]()
    of.model.set_attn_processor(AttnProcessor())
    said = "0 of 8 attention layers were called; Attention"
    with pytest.raises(ValueError, match=said), use(of.model, "naive"), torch.no_grad():
        of.logits(of.model)


def test_calls_outside_the_model_stay_with_torch() -> None:
    of, other = MODELS["vision"](), of_tokens(Blocks)
    expected = other.logits(other.model)
    q = torch.randn(1, 1, 4, 8)
    with use(of.model, "naive") as bridge, torch.no_grad():
        of.logits(of.model)
        assert torch.equal(other.logits(other.model), expected)
        functional.scaled_dot_product_attention(q, q, q, dropout_p=0.5)
    assert bridge.calls.total() == 2


def test_the_fused_layers_of_other_models_stay() -> None:
    of, other = MODELS["encoder right"](), seeded(encoder_layer)
    with torch.no_grad(), mixed({}) as counted, use(of.model, "naive"):
        other(TOKENS)
        of.logits(of.model)
    assert counted.left == {"the fused layer of nn.TransformerEncoder": 1}


@pytest.mark.parametrize("first", [0, 1])
def test_two_models_end_in_any_order(first: int) -> None:
    made = [MODELS["vision"](), MODELS["encoder right"]()]
    bridges = [use(of.model, name) for of, name in zip(made, ["naive", "chunked"], strict=True)]
    with torch.no_grad():
        for of in made:
            of.logits(of.model)
        bridges[first].undo()
        for of in made:
            of.logits(of.model)
    bridges[1 - first].undo()
    assert [bridge.calls.total() for bridge in bridges] == [[2, 4], [4, 2]][first]


def test_one_model_after_another_and_again() -> None:
    of = MODELS["vision"]()
    for name in ("naive", "chunked", "naive"):
        with use(of.model, name) as bridge, torch.no_grad():
            of.logits(of.model)
        assert bridge.calls.total() == 2
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in of.model.modules())


def test_a_model_in_another_thread_is_answered() -> None:
    of = MODELS["vision"]()
    q = torch.randn(1, 1, 4, 8)

    def run() -> None:
        with torch.no_grad():
            of.logits(of.model)
        functional.scaled_dot_product_attention(q, q, q, dropout_p=0.5)

    with use(of.model, "naive") as bridge:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert bridge.calls.total() == 2


def test_a_bridge_that_ended_stays_ended() -> None:
    of = MODELS["vision"]()
    with torch.no_grad(), use(of.model, "naive") as bridge:
        of.logits(of.model)
        bridge.undo()
        of.logits(of.model)
    assert bridge.calls.total() == 2


def test_after_an_exception_in_the_model_calls_outside_stay_with_torch() -> None:
    of = MODELS["vision"]()
    q = torch.randn(1, 1, 4, 8)
    bridge = use(of.model, "naive")
    with pytest.raises(RuntimeError), torch.no_grad():
        of.model(torch.zeros(1, 3, 16, 16))  # fewer patches than positions
    functional.scaled_dot_product_attention(q, q, q)
    assert not bridge.calls
    assert not bridge.claims()  # type: ignore[attr-defined] # of this bridge
    bridge.undo()


def test_an_implementation_that_calls_torch_is_not_answered_itself() -> None:
    of = MODELS["vision"]()
    with use(of.model, "sdpa_math") as bridge, torch.no_grad():
        found = of.logits(of.model)
    assert bridge.calls.total() == 2
    assert share(of, found) <= 1


def test_a_mix_around_does_not_answer_calls_of_the_model() -> None:
    of = MODELS["vision"]()
    names = {"b2 h4 t17 d8": "naive"}
    with torch.no_grad(), use(of.model, "sdpa_math") as bridge, mixed(names) as mix:
        of.logits(of.model)
    assert (bridge.calls.total(), mix.replaced.total()) == (2, 0)


def test_a_module_imported_in_the_context_has_torch_afterwards() -> None:
    module = ModuleType("a_script")
    with use(MODELS["vision"]().model, "naive") as bridge:
        module.attend = functional.scaled_dot_product_attention  # type: ignore[attr-defined] # as an import does
        sys.modules["a_script"] = module
        bridge.calls.update(bridge.layers)
    del sys.modules["a_script"]
    assert module.attend is TORCH[0]


def test_a_copy_of_the_model_has_its_own_weights() -> None:
    of = MODELS["vision"]()
    with use(of.model, "naive") as bridge, torch.no_grad():
        twin = copy.deepcopy(of.model)
        for each in of.model.parameters():
            each.zero_()
        assert float(of.logits(twin).abs().max()) > 0
        of.logits(of.model)
    assert bridge.calls.total() == 4


def test_masks_of_inference_mode_are_recognised() -> None:
    model = seeded(encoder)
    with torch.inference_mode(), use(model, "chunked") as bridge:
        model(TOKENS, src_key_padding_mask=PADDED.clone())
    assert bridge.calls.total() == 2


def test_under_autocast_the_products_are_in_its_dtype() -> None:
    of = of_tokens(lambda: Blocks(causal_padded()))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = of.logits(of.model)
        with use(of.model, "chunked") as bridge:
            found = of.logits(of.model)
    assert bridge.calls.total() == 2
    torch.testing.assert_close(found, expected, atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize("is_compiled_before", [True, False])
def test_compiled_code_leaves_its_graph_for_attention(*, is_compiled_before: bool) -> None:
    torch._dynamo.reset()
    of = of_tokens(Blocks)
    compiled: Any = torch.compile(of.model, backend="aot_eager")
    with torch.no_grad():
        expected = of.logits(of.model)
        if is_compiled_before:
            compiled(TOKENS)
        with use(of.model, "chunked") as bridge:
            found = compiled(TOKENS)
            again = compiled(TOKENS)
        assert bridge.calls.total() == 4
        assert torch.equal(found, again)
        assert not torch.equal(found, expected)
        torch.testing.assert_close(found, expected)
        assert torch.equal(compiled(TOKENS), expected)
    assert bridge.calls.total() == 4


def test_a_model_compiled_as_one_graph_is_refused() -> None:
    torch._dynamo.reset()
    of = of_tokens(Blocks)
    compiled: Any = torch.compile(of.model, backend="aot_eager", fullgraph=True)
    said = "an implementation answers attention outside of compiled code"
    with pytest.raises(RuntimeError, match=said), use(of.model, "chunked"), torch.no_grad():
        compiled(TOKENS)


def test_a_compiled_model_is_used_itself() -> None:
    torch._dynamo.reset()
    of = of_tokens(Blocks)
    model: Any = torch.compile(of.model, backend="aot_eager")
    with torch.no_grad(), use(model, "chunked") as bridge:
        model(TOKENS)
    assert bridge.calls.total() == 2
