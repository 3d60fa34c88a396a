"""Answers the attention calls that any torch model makes by scaled_dot_product_attention.

Calls inside the forward methods of the model's modules become problems of one implementation; those
of other models stay with torch. What no problem expresses is refused, with the layer and the
reason. Fused layers of torch are off inside the model, and compiled code leaves its graph for each
attention call: both would leave calls to torch.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from impls.bridges.attention_layers import Kind, attention_kinds
from impls.bridges.forms import Forms
from impls.bridges.model_bridge import (
    Around,
    LayerRefusedError,
    ModelBridge,
    expect_no_dropout,
)
from impls.bridges.sdpa_calls import Attention, answer_no_more, answer_with
from impls.bridges.substitution import Recogniser, seen_mask
from impls.interface import Implementation

Hook = Callable[..., None]


class _Running:
    """A module that runs: its name, and the calls inside it that were answered."""

    __slots__ = ("answered", "name")

    def __init__(self, name: str) -> None:
        self.name, self.answered = name, 0


class _Thread(threading.local):
    """The modules that run in this thread, the innermost one last."""

    def __init__(self) -> None:
        self.running: list[_Running] = []


class SdpaAttention(ModelBridge):
    """A model whose calls of scaled_dot_product_attention an implementation answers.

    model      any torch module; its modules get hooks that say which one runs
    recognise  finds out what a mask tensor is
    around     returns the function that is called for a layer, around its function of q, k and v;
               None: that function itself
    kinds      the attention layers that must be called; None: all whose code has attention

    A layer that is called and calls no scaled_dot_product_attention raises LayerRefusedError.
    """

    BYPASS = "was not called, or computes attention without scaled_dot_product_attention"

    def __init__(
        self,
        model: nn.Module,
        implementation: Implementation,
        recognise: Recogniser,
        around: Around | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> None:
        self.model, self.implementation = model, implementation
        self._recognise, self._around = recognise, around
        self.calls: Counter[str] = Counter()
        self._kinds = attention_kinds(model) if kinds is None else kinds
        self._forms = Forms(lambda _: implementation, keyless_rows=True)
        self._thread = _Thread()
        self._covered: set[str] = set()
        self._hooks: list[RemovableHandle] = []
        for name, module in model.named_modules():
            if self._may_call(name, module):
                self._watch(name, module)
        answer_with(self, claiming=True)

    def undo(self) -> None:
        """Give the model its own attention back."""
        answer_no_more(self)
        while self._hooks:
            self._hooks.pop().remove()

    @property
    def layers(self) -> list[str]:
        """The attention layers, by their code, and all modules of a class that made a call.

        A layer whose calls were all made by layers inside it is none.
        """
        calling = {type(self.model.get_submodule(name)) for name in self.calls}
        return [
            name
            for name, module in self.model.named_modules()
            if (name in self._kinds or type(module) in calling)
            and (self.calls[name] or name not in self._covered)
        ]

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
        """The implementation for a call inside the model; None for a call outside.

        Raises LayerRefusedError for a call that the implementation does not answer.
        """
        if not self._thread.running:
            return None
        running = self._thread.running[-1]
        layer = running.name or type(self.model).__name__
        expect_no_dropout(layer, dropout_p)
        seen = seen_mask(q, k, mask, self._recognise)
        form = self._forms.of(q, k, v, seen, dropout_p, is_causal, scale, enable_gqa)
        if form.function is None:
            raise LayerRefusedError(f"{layer}: {form.label}")
        self.calls[running.name] += 1
        running.answered += 1
        return form.function if self._around is None else self._around(layer, form.function)

    def claims(self) -> bool:
        """Whether a module of the model runs in this thread."""
        return bool(self._thread.running)

    def _may_call(self, name: str, module: nn.Module) -> bool:
        """Whether a module or one inside it may make a call; modules of torch are known."""
        if isinstance(module, torch.jit.ScriptModule):  # it takes no hooks
            return False
        inside = f"{name}." if name else ""
        is_of_torch = type(module).__module__.startswith("torch.nn.modules.")
        return not (name and is_of_torch) or any(
            each == name or each.startswith(inside) for each in self._kinds
        )

    def _watch(self, name: str, module: nn.Module) -> None:
        # Functions, not methods: a copy of the model must not copy this object.
        enter, check, leave = self._hooks_of(name)
        self._hooks += [
            module.register_forward_pre_hook(enter),
            module.register_forward_hook(check),
            module.register_forward_hook(leave, always_call=True),
        ]

    def _hooks_of(self, name: str) -> tuple[Hook, Hook, Hook]:
        thread, covered = self._thread, self._covered
        must_call = self._kinds.get(name) in {Kind.SDPA, Kind.INTERFACE}

        def enter(*_: Any) -> None:
            if not name:
                thread.running.clear()  # an interrupt may have left some
            thread.running.append(_Running(name))

        def check(module: nn.Module, *_: Any) -> None:
            if not must_call or not thread.running:
                return
            if not thread.running[-1].answered:
                raise LayerRefusedError(
                    f"{name or type(module).__name__}: it was called and made no call of "
                    f"scaled_dot_product_attention{_advice(module)}"
                )
            covered.add(name)

        def leave(*_: Any) -> None:
            if not thread.running or thread.running[-1].name != name:
                return
            left = thread.running.pop()
            if thread.running:
                thread.running[-1].answered += left.answered

        return enter, check, leave


def _advice(module: nn.Module) -> str:
    """A way to make a layer call scaled_dot_product_attention; "" where none is known."""
    if isinstance(module, nn.MultiheadAttention):
        return "; call it with need_weights=False"
    own = getattr(getattr(module, "config", None), "_attn_implementation", None)
    return f"; its attn_implementation is {own!r}, and 'sdpa' calls it" if own else ""
