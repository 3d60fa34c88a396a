"""Attention layers of a model, found in the code of its modules."""

from __future__ import annotations

from functools import partial

import pytest
import transformers as hf
from torch import Tensor, nn
from torch.nn import functional

from impls.bridges.attention_layers import Kind, attention_kinds, kind_of
from tests.bridges import small_models, torch_models
from tests.bridges.small_models import SIZES, made

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def attend(x: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(x, x, x)


class ByFunction(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return attend(x)


class ByMethod(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return self._inner(x)

    def _inner(self, x: Tensor) -> Tensor:
        return attend(x)


class ByAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = functional.scaled_dot_product_attention

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(x, x, x)


class Processor:
    def __call__(self, layer: nn.Module, x: Tensor) -> Tensor:
        return attend(x)


class Other:
    def __call__(self, layer: nn.Module, x: Tensor) -> Tensor:
        return x


class ByProcessor(nn.Module):
    def __init__(self, processor: object) -> None:
        super().__init__()
        self.processor = processor

    def forward(self, x: Tensor) -> Tensor:
        return self.processor(self, x)  # type: ignore[operator] # it is called


class ModuleProcessor(nn.Module):
    def __call__(self, layer: nn.Module, x: Tensor) -> Tensor:
        return attend(x)


class ByInner(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        def inner() -> Tensor:
            return attend(x)

        return inner()


class OwnAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x @ x.mT).softmax(-1) @ x


class Around(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = ByFunction()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attend(x)
        return out.softmax(-1)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (ByFunction, Kind.SDPA),
        (ByMethod, Kind.SDPA),
        (ByAttribute, Kind.SDPA),
        (partial(ByProcessor, Processor()), Kind.SDPA),
        (partial(ByProcessor, ModuleProcessor()), Kind.SDPA),
        (partial(ByProcessor, Other()), Kind.NONE),
        (ByInner, Kind.SDPA),
        (OwnAttention, Kind.ITSELF),
        (Around, Kind.NONE),
        (partial(nn.MultiheadAttention, 8, 2), Kind.SDPA),
        (partial(nn.TransformerEncoderLayer, 8, 2), Kind.NONE),
        (partial(nn.Softmax, -1), Kind.NONE),
    ],
)
def test_the_attention_of_a_module_is_in_its_code(make: partial[nn.Module], kind: Kind) -> None:
    assert kind_of(make()) is kind


def test_two_modules_of_one_class_may_differ_by_their_processors() -> None:
    model = nn.Sequential(ByProcessor(Other()), ByProcessor(Processor()))
    assert attention_kinds(model) == {"1": Kind.SDPA}


def test_layers_of_torch_have_their_attention_inside() -> None:
    model = nn.Transformer(8, 2, 1, 1)
    assert list(attention_kinds(model)) == [
        "encoder.layers.0.self_attn",
        "decoder.layers.0.self_attn",
        "decoder.layers.0.multihead_attn",
    ]


@pytest.mark.parametrize("name", list(torch_models.MODELS))
def test_the_layers_of_models_of_torch_are_found(name: str) -> None:
    of = torch_models.MODELS[name]()
    assert list(attention_kinds(of.model).values()) == [Kind.SDPA] * of.layers


@pytest.mark.parametrize("name", list(small_models.MODELS))
def test_the_layers_of_models_of_transformers_are_found(name: str) -> None:
    of = small_models.MODELS[name]()
    assert list(attention_kinds(of.model).values()) == [Kind.INTERFACE] * of.layers


def test_a_model_with_a_processor_of_matrix_products_computes_attention_itself() -> None:
    from diffusers.models.attention_processor import AttnProcessor

    model = torch_models.seeded(torch_models.unet)
    model.set_attn_processor(AttnProcessor())
    assert set(attention_kinds(model).values()) == {Kind.ITSELF}


def test_a_model_of_transformers_without_the_interface_computes_attention_itself() -> None:
    config = hf.BloomConfig(vocab_size=64, hidden_size=64, n_layer=2, n_head=4)
    assert list(attention_kinds(made("BloomForCausalLM", config)).values()) == [Kind.ITSELF] * 2


def test_a_head_of_a_model_has_no_attention() -> None:
    model = made("BertForSequenceClassification", hf.BertConfig(**SIZES))
    assert kind_of(model) is Kind.NONE
