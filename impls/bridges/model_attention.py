"""Answers the attention layers of a transformers model with an implementation.

transformers hands each layer's q, k and v to a function of its `AttentionInterface`, with a mask
that a function of its `AttentionMaskInterface` makes. Both are registered here under a name of our
own. A call becomes a problem; what no problem expresses is refused, with the layer and the reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

import torch
from torch import Tensor, nn

from impls.bridges.attention_layers import attention_kinds
from impls.bridges.model_bridge import (
    Around,
    LayerRefusedError,
    ModelBridge,
    expect_no_dropout,
)
from impls.bridges.sdpa_calls import by_implementation
from impls.bridges.substitution import Recogniser
from impls.interface import Implementation, Mask, Problem
from impls.interface.mask import CAUSAL, FULL

HARMLESS: Final = frozenset((
    "position_ids", "cache_position", "use_cache", "past_key_values", "past_key_value",
    "encoder_hidden_states", "encoder_attention_mask", "output_router_logits", "sliding_window",
    "num_items_in_batch", "labels", "layer_idx",
))  # fmt: skip
"""Further arguments of the interface that do not change the result beside the mask."""
_NUMBERS: Final = count(1)


class ModelAttention(ModelBridge):
    """A model whose attention layers an implementation answers, until `undo` or the context's end.

    model      a model of transformers; its configuration gets the name of the interface
    recognise  finds out what a mask tensor is
    around     returns the function that is called for a layer, around its function of q, k and v;
               None: that function itself

    At the end of the context every attention layer must have been called: ValueError otherwise.
    Raises ValueError for transformers without the interface, and for a model of another library.
    """

    BYPASS = "computes attention by itself: transformers only reports the name that was set"

    def __init__(
        self,
        model: nn.Module,
        implementation: Implementation,
        recognise: Recogniser,
        around: Around | None = None,
    ) -> None:
        self.implementation, self._around = implementation, around
        self.calls: Counter[str] = Counter()
        self.model, self._recognise = model, recognise
        self._names = {id(module): name for name, module in model.named_modules()}
        self._prepared: dict[Problem, Callable[..., Any]] = {}
        self._with_gradient: set[Problem] = set()
        self._before = _implementation_of(model)
        _set(model, _registered(self.attend))

    def undo(self) -> None:
        """Give the model its own attention back."""
        _set(self.model, self._before)

    @property
    def layers(self) -> list[str]:
        """The attention layers of the model, by the code of their forward methods."""
        return list(attention_kinds(self.model))

    def attend(  # noqa: PLR0913 - the parameters of the interface
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        softcap: float | None = None,
        s_aux: Tensor | None = None,
        **more: Any,
    ) -> tuple[Tensor, None]:
        """The function of the interface: out [B, Tq, H, Dv], and no weights.

        Raises LayerRefusedError for a call that the implementation does not answer.
        """
        layer = self._names.get(id(module), type(module).__name__)
        self._expect_expressible(layer, dropout, more)
        causal = is_causal if is_causal is not None else getattr(module, "is_causal", True)
        if attention_mask is None and (more.get("sliding_window") or key.shape[2]) < key.shape[2]:
            raise LayerRefusedError(f"{layer}: a window of {more['sliding_window']} without a mask")
        key, value, mask = self._seen(layer, (query, key, value), attention_mask, causal=causal)
        problem = _problem(layer, (query, key, value), mask, scaling, softcap, s_aux)
        function = self._function(layer, problem)(bias=None, sink=s_aux)
        self.calls[layer] += 1
        if self._around is not None:
            function = self._around(layer, function)
        out = by_implementation(function, query, key, value)
        if problem.training and s_aux is not None and s_aux.requires_grad:
            self._expect_gradient(layer, problem, out, s_aux)
        return out.transpose(1, 2), None

    def _expect_expressible(self, layer: str, dropout: float, more: Mapping[str, Any]) -> None:
        expect_no_dropout(layer, dropout)
        others = [name for name, given in more.items() if given is not None]
        unknown = [n for n in others if n not in HARMLESS and more[n] is not False]
        if unknown:
            raise LayerRefusedError(
                f"{layer}: {', '.join(unknown)} is given, which no problem expresses"
            )

    def _expect_gradient(self, layer: str, problem: Problem, out: Tensor, sink: Tensor) -> None:
        """Raise LayerRefusedError where no gradient reaches a trained sink; once for a problem."""
        if problem in self._with_gradient:
            return
        (found,) = torch.autograd.grad(
            out, [sink], torch.ones_like(out), retain_graph=True, allow_unused=True
        )
        if found is None:
            raise LayerRefusedError(
                f"{layer}: {self.implementation} gives no gradient of the sink, which is trained"
            )
        self._with_gradient.add(problem)

    def _seen(
        self,
        layer: str,
        qkv: tuple[Tensor, Tensor, Tensor],
        mask: Tensor | None,
        *,
        causal: bool,
    ) -> tuple[Tensor, Tensor, Mask]:
        """Keys and values without those that no query sees, and the mask of the rest."""
        q, k, v = qkv
        queries, keys = q.shape[2], k.shape[2]
        if mask is None:
            if not causal or queries == 1:
                return k, v, FULL
            if queries > keys:
                raise LayerRefusedError(f"{layer}: {queries} queries, {keys} keys and is_causal")
            return k[:, :, :queries], v[:, :, :queries], CAUSAL
        if mask.requires_grad:
            raise LayerRefusedError(f"{layer}: a mask that is trained")
        if mask.shape[-1] not in (1, keys):
            raise LayerRefusedError(f"{layer}: a mask of {mask.shape[-1]} keys beside {keys}")
        seen = self._recognise(mask, (len(q), q.shape[1], queries, keys))
        if isinstance(seen, str) and 0 < (used := _used_keys(mask)) < keys:
            # The end of a static cache is not written yet: no query sees it.
            k, v = k[:, :, :used], v[:, :, :used]
            seen = self._recognise(mask[..., :used], (len(q), q.shape[1], queries, used))
        if isinstance(seen, str):
            raise LayerRefusedError(f"{layer}: {seen}")
        return k, v, seen

    def _function(self, layer: str, problem: Problem) -> Callable[..., Any]:
        """The implementation, prepared for a problem."""
        if problem not in self._prepared:
            capability = torch.cuda.get_device_capability() if problem.device == "cuda" else None
            if reasons := self.implementation.refusals(problem, capability):
                raise LayerRefusedError(
                    f"{layer}: {self.implementation} refuses {problem}: {'; '.join(reasons)}"
                )
            self._prepared[problem] = self.implementation.prepared(problem)
        return self._prepared[problem]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of the calls so far, each of them once."""
        return tuple(self._prepared)


def _registered(attend: Callable[..., Any]) -> str:
    """A new name in both interfaces of transformers.

    It has none of the parts "flash", "sdpa" and "/", which transformers interprets.
    """
    try:
        from transformers import AttentionInterface, AttentionMaskInterface  # noqa: PLC0415 - an extra
        from transformers.masking_utils import sdpa_mask  # noqa: PLC0415 - likewise
    except ImportError as error:
        need = "transformers with AttentionInterface is needed"
        raise ValueError(f"{need} ({error}): pip install attnbench[models]") from None
    name = f"attnbench_{next(_NUMBERS)}"
    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, sdpa_mask)
    return name


def _implementation_of(model: nn.Module) -> str:
    """The name of the attention that a model uses now."""
    config = getattr(model, "config", None)
    if config is None or not hasattr(model, "set_attn_implementation"):
        raise ValueError(f"{type(model).__name__} is no model of transformers")
    return str(config._attn_implementation)  # noqa: SLF001 - there is no public name


def _set(model: Any, name: str) -> None:
    model.set_attn_implementation(name)


def _used_keys(mask: Tensor) -> int:
    """Keys up to the last one that any query sees."""
    visible = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    columns = visible.flatten(0, -2).any(0).nonzero()
    return int(columns.max()) + 1 if len(columns) else 0


def _problem(
    layer: str,
    qkv: tuple[Tensor, Tensor, Tensor],
    mask: Mask,
    scaling: float | None,
    softcap: float | None,
    sink: Tensor | None,
) -> Problem:
    """The problem of a call. Raises LayerRefusedError for one that no problem expresses."""
    q, k, v = qkv
    batch, heads, queries, head_dim = q.shape
    usual = scaling is None or math.isclose(scaling, head_dim**-0.5, rel_tol=1e-6)
    try:
        return Problem(
            batch=batch,
            query_heads=heads,
            key_heads=k.shape[1],
            query_length=queries,
            key_length=k.shape[2],
            head_dim=head_dim,
            value_dim=None if v.shape[3] == head_dim else v.shape[3],
            mask=mask,
            scale=None if usual else scaling,
            softcap=softcap,
            sink=sink is not None,
            dtype=str(q.dtype).removeprefix("torch."),
            device=q.device.type,
            training=torch.is_grad_enabled() and any(x.requires_grad for x in qkv),
            layout="bthd" if heads > 1 and queries > 1 and q.stride(1) < q.stride(2) else "bhtd",
        )
    except ValueError as error:
        raise LayerRefusedError(f"{layer}: {error}") from None
