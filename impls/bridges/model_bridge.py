"""A model whose attention layers an implementation answers: the part that all bridges share."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ClassVar

from torch import nn

from impls.bridges.sdpa_calls import Attention
from impls.interface import Implementation

Around = Callable[[str, Attention], Attention]
"""The function that is called for a layer, by the layer's name and its function."""


class LayerRefusedError(ValueError):
    """An attention layer whose call the implementation does not answer; the message says why."""


class ModelBridge(AbstractContextManager["ModelBridge"]):
    """A model whose attention layers an implementation answers, until `undo` or the context's end.

    calls  of each layer that the implementation answered

    At the end of the context every attention layer must have been called: ValueError otherwise.
    """

    model: nn.Module
    implementation: Implementation
    calls: Counter[str]
    BYPASS: ClassVar[str]
    """What a layer does that was not called."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.undo()
        if kind is None:
            self.expect_all_called()

    @abstractmethod
    def undo(self) -> None:
        """Give the model its own attention back."""

    @property
    @abstractmethod
    def layers(self) -> list[str]:
        """The names of the attention layers of the model."""

    def expect_all_called(self) -> None:
        """Raise ValueError where an attention layer was not called."""
        every = self.layers
        missed = [name for name in every if not self.calls[name]]
        if missed or not self.calls:
            kinds = sorted({type(self.model.get_submodule(name)).__name__ for name in missed})
            raise ValueError(
                f"{len(every) - len(missed)} of {len(every)} attention layers were called; "
                f"{', '.join(kinds) or type(self.model).__name__} {self.BYPASS}"
            )


def expect_no_dropout(layer: str, dropout: float) -> None:
    """Raise LayerRefusedError for dropout of attention weights: no problem expresses it."""
    if dropout:
        raise LayerRefusedError(
            f"{layer}: dropout {dropout:g} in training; set the attention dropout of the model to 0"
        )
