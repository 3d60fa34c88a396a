"""Puts a mix of implementations into a running script: they answer its attention calls.

Within the context, scaled_dot_product_attention looks up the problem of a call and calls the
implementation that the mix has for it. All other calls go to torch. A form of calls is looked up
and prepared once; from then on the look-up costs a few microseconds a call.

torch's fused layers, compiled code and modules in C call their own attention: it stays.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Final, Protocol, Self, TextIO

import torch
from torch import Tensor

from impls.bridges import forms
from impls.bridges.forms import Forms
from impls.bridges.patches import Patches
from impls.interface import Mask, Problem

Function = Callable[..., Any]
FUSED: Final = {
    "_transformer_encoder_layer_fwd": "the fused layer of nn.TransformerEncoder",
    "_native_multi_head_attention": "the fused nn.MultiheadAttention",
}
"""Functions of torch that compute attention in a fused kernel: their calls are counted."""


class Recogniser(Protocol):
    """Finds out what a mask tensor is."""

    def __call__(self, mask: Tensor, sizes: tuple[int, int, int, int]) -> Mask | str:
        """The mask, or why there is none; the same object for the same content.

        sizes  B, Hq, Tq, Tk
        """


class _Inside(threading.local):
    """Whether this thread is in an implementation of the mix."""

    active = False


class Substitution(AbstractContextManager["Substitution"]):
    """The context in which a mix answers the attention calls of this process.

    mix        the name of an implementation by problem; NAME, or FILE.py:FUNCTION
    recognise  finds out what a mask tensor is
    report     gets a summary at the end; None: nothing is printed
    """

    def __init__(
        self, mix: Mapping[Problem, str], recognise: Recogniser, report: TextIO | None = None
    ) -> None:
        self._forms, self._recognise, self._report = Forms(mix), recognise, report
        self._fused: Counter[str] = Counter()
        self._patches = Patches()
        self._inside = _Inside()

    @property
    def replaced(self) -> Counter[str]:
        """Calls that implementations of the mix answered, by problem and implementation."""
        return self._forms.counts(replaced=True)

    @property
    def left(self) -> Counter[str]:
        """Calls that torch answered, by reason; those of compiled code are not seen."""
        return self._forms.counts(replaced=False) + self._fused

    def __enter__(self) -> Self:
        original = torch.nn.functional.scaled_dot_product_attention
        self._patches.replace_everywhere(original, self.answering(original))
        for name, words in FUSED.items():
            self._patches.replace(torch, name, self._counting(getattr(torch, name), words))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.undo()
        if self._report is not None:
            every = forms.lines(self.replaced, self.left)
            self._report.write("".join(f"attnbench: {line}\n" for line in every))

    def answering(self, original: Function) -> Function:
        """scaled_dot_product_attention with the mix in front of it."""
        is_compiling = torch.compiler.is_compiling
        inside, answering = self._inside, self._forms.of

        @wraps(original)
        def answer(  # noqa: PLR0913, PLR0917 - its own parameters
            query: Tensor,
            key: Tensor,
            value: Tensor,
            attn_mask: Tensor | None = None,
            dropout_p: float = 0.0,
            is_causal: bool = False,  # noqa: FBT001, FBT002 - its own parameter
            scale: float | None = None,
            enable_gqa: bool = False,  # noqa: FBT001, FBT002 - its own parameter
        ) -> Tensor:
            function = None
            if not (is_compiling() or inside.active):
                seen = None if attn_mask is None else self._seen(query, key, attn_mask)
                options = (dropout_p, is_causal, scale, enable_gqa)
                function = answering(query, key, value, seen, *options)
            if function is None:
                given = (query, key, value, attn_mask, dropout_p, is_causal)
                out: Tensor = original(*given, scale=scale, enable_gqa=enable_gqa)
                return out
            inside.active = True  # an implementation may call the patched function
            try:
                return function(query, key, value)
            finally:
                inside.active = False

        return answer

    def _seen(self, q: Tensor, k: Tensor, mask: Tensor) -> Mask | str:
        if mask.requires_grad:
            return "a mask that is trained"
        if mask.is_inference():
            return "a mask made in inference mode: torch does not say when it changes"
        if q.dim() < 3 or k.dim() < 2:
            return f"a tensor of the shape {tuple(q.shape)}"
        return self._recognise(mask, (len(q), q.shape[-3], q.shape[-2], k.shape[-2]))

    def _counting(self, original: Function, words: str) -> Function:
        @wraps(original)
        def counting(*args: Any, **kwargs: Any) -> Any:
            self._fused[words] += 1
            return original(*args, **kwargs)

        return counting


def looked_up(function: Function) -> Function:
    """The function of q, k and v, with the look-up of a substitution before each call.

    It measures what a replaced call takes in a script. The mix is empty, so that the look-up finds
    no implementation and calls the function.
    """
    without_mix = Substitution({}, lambda _, __: "no mask is given")
    return without_mix.answering(lambda q, k, v, *_, **__: function(q, k, v))
