"""Puts a mix of implementations into a running script: they answer its attention calls.

Within the context, scaled_dot_product_attention looks up the problem of a call and calls the
implementation that the mix has for it. All other calls go to torch. A form of calls is looked up
and prepared once; from then on the look-up costs a few microseconds a call.

torch's fused layers, compiled code and modules in C call their own attention: it stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Final, Protocol, Self, TextIO

import torch
from torch import Tensor

from impls.bridges import forms
from impls.bridges.forms import Forms, of_mix
from impls.bridges.patches import Patches
from impls.bridges.sdpa_calls import Attention, answer_no_more, answer_with, with_answers
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


def seen_mask(
    q: Tensor, k: Tensor, mask: Tensor | None, recognise: Recogniser
) -> Mask | str | None:
    """The mask of a call, or why it is none; None without a tensor."""
    if mask is None:
        return None
    if mask.requires_grad:
        return "a mask that is trained"
    if q.dim() < 3 or k.dim() < 2:
        return f"a tensor of the shape {tuple(q.shape)}"
    return recognise(mask, (len(q), q.shape[-3], q.shape[-2], k.shape[-2]))


class Substitution(AbstractContextManager["Substitution"]):
    """The context in which a mix answers the attention calls of this process.

    mix        the name of an implementation by problem; NAME, or FILE.py:FUNCTION
    recognise  finds out what a mask tensor is
    report     gets a summary at the end; None: nothing is printed
    """

    def __init__(
        self, mix: Mapping[Problem, str], recognise: Recogniser, report: TextIO | None = None
    ) -> None:
        self._forms, self._recognise, self._report = Forms(of_mix(mix)), recognise, report
        self._fused: Counter[str] = Counter()
        self._patches = Patches()

    @property
    def replaced(self) -> Counter[str]:
        """Calls that implementations of the mix answered, by problem and implementation."""
        return self._forms.counts(replaced=True)

    @property
    def left(self) -> Counter[str]:
        """Calls that torch answered, by reason; those of compiled code are not seen."""
        return self._forms.counts(replaced=False) + self._fused

    def __enter__(self) -> Self:
        answer_with(self)
        for name, words in FUSED.items():
            self._patches.replace(torch, name, self._counting(getattr(torch, name), words))
        return self

    def __exit__(self, *_: object) -> None:
        answer_no_more(self)
        self._patches.undo()
        if self._report is not None:
            every = forms.lines(self.replaced, self.left)
            self._report.write("".join(f"attnbench: {line}\n" for line in every))

    def of(  # noqa: PLR0913, PLR0917 - the parameters of scaled_dot_product_attention
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        dropout_p: float,
        is_causal: bool,  # noqa: FBT001 - likewise
        scale: float | None,
        enable_gqa: bool,  # noqa: FBT001 - likewise
    ) -> Attention | None:
        """The function of the mix that answers a call; None: torch does."""
        seen: Mask | str | None
        if mask is not None and mask.is_inference():
            seen = "a mask made in inference mode: torch does not say when it changes"
        else:
            seen = seen_mask(q, k, mask, self._recognise)
        return self._forms.of(q, k, v, seen, dropout_p, is_causal, scale, enable_gqa).function

    def claims(self) -> bool:
        """Calls of compiled code and of fused layers stay with torch."""
        return False

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
    return with_answers(lambda q, k, v, *_, **__: function(q, k, v), [without_mix])
