"""The bridge for a model: by the interface of transformers, by torch's function, or by both."""

from __future__ import annotations

from collections import Counter

from torch import nn

from impls.bridges.attention_layers import Kind, attention_kinds
from impls.bridges.model_attention import ModelAttention
from impls.bridges.model_bridge import Around, ModelBridge
from impls.bridges.sdpa_attention import SdpaAttention
from impls.bridges.substitution import Recogniser
from impls.interface import Implementation


def bridged(
    model: nn.Module,
    implementation: Implementation,
    recognise: Recogniser,
    around: Around | None = None,
) -> ModelBridge:
    """A model whose attention layers an implementation answers.

    model      any torch module
    recognise  finds out what a mask tensor is
    around     returns the function that is called for a layer, around its function of q, k and v;
               None: that function itself

    A model of transformers goes by its interface. Layers of it that call
    scaled_dot_product_attention by themselves, and all other models, go by that function.
    """
    kinds = attention_kinds(model)
    is_of_transformers = hasattr(model, "set_attn_implementation")
    found = set(kinds.values())
    if not is_of_transformers or (Kind.SDPA in found and Kind.INTERFACE not in found):
        return SdpaAttention(model, implementation, recognise, around)
    if Kind.SDPA not in found:
        return ModelAttention(model, implementation, recognise, around)
    return MixedAttention(model, implementation, recognise, around)


class MixedAttention(ModelBridge):
    """A model of transformers of which some layers go by its interface, and others by torch.

    The parameters are those of `bridged`.
    """

    BYPASS = "was not called, or computes attention by itself"

    def __init__(
        self,
        model: nn.Module,
        implementation: Implementation,
        recognise: Recogniser,
        around: Around | None = None,
    ) -> None:
        self.model, self.implementation = model, implementation
        kinds = attention_kinds(model)
        own = {name: kind for name, kind in kinds.items() if kind is Kind.SDPA}
        self._interface = ModelAttention(model, implementation, recognise, around)
        self._torch = SdpaAttention(model, implementation, recognise, around, own)

    @property
    def calls(self) -> Counter[str]:  # type: ignore[override] # two bridges count them
        """Calls of each layer, by either way."""
        return self._interface.calls + self._torch.calls

    @property
    def layers(self) -> list[str]:
        """The attention layers of either way."""
        return list(dict.fromkeys((*self._interface.layers, *self._torch.layers)))

    def undo(self) -> None:
        """Give the model its own attention back."""
        self._torch.undo()
        self._interface.undo()
