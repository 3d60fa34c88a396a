"""Which argument of an attention call each parameter of a callable takes, by its name."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "mask": ("mask", "attn_mask", "attention_mask"),
    "added": ("attn_bias", "bias_mask", "additive_mask"),
    "causal": ("is_causal", "causal", "use_causal"),
    "window": ("window_size", "window", "sliding_window", "local_window_size"),
    "scale": ("scale", "softmax_scale", "sm_scale", "scaling", "qk_scale", "scale_factor"),
    "grouped": ("enable_gqa",),
    "dropout": (
        *("dropout", "dropout_p", "dropout_rate", "dropout_ratio", "dropout_prob", "p_dropout"),
        *("p_drop", "attn_dropout", "attention_dropout", "attn_drop", "attention_dropout_prob"),
    ),
    "softcap": ("softcap", "logit_cap", "logits_soft_cap", "soft_cap"),
    "training": ("training", "is_training"),
    "head_dim": ("head_dim", "dim_head", "d_k"),
}
"""Names of parameters by the argument that they take. The words are those of torch, flash-attn,
xformers and transformers."""
LAYER: Final = "module"
"""A first parameter of this name takes the layer that calls the function, as in transformers."""
CONTRACT: Final = ("mask", "scale", "bias", "softcap", "sink", "inner", "group")
"""Parameters of the contract's own functions."""
_FAMILIES: Final = (r"x?_?q|quer", r"x?_?k|key", r"x?_?v|val")
IN_ORDER: Final = (0, 1, 2)
"""The order of the parameters (q, k, v)."""
_OF_NAME: Final = {name: role for role, names in ROLES.items() for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parameters of an attention function, without those for q, k and v.

    roles       role by the name of the parameter
    required    names without a default
    annotated   the text of an annotation, by name
    defaults    by name
    keyword_only  names that are passed by keyword
    takes_any   whether it has `**kwargs`
    named_qkv   whether three parameters in a row are named like query, key and value
    order       of these three: (2, 1, 0) for (v, k, q)
    takes_layer whether a parameter LAYER comes before these three
    names       all of them, in order
    """

    roles: dict[str, str]
    required: tuple[str, ...]
    annotated: dict[str, str]
    defaults: dict[str, Any]
    keyword_only: frozenset[str]
    takes_any: bool
    named_qkv: bool
    order: tuple[int, ...]
    takes_layer: bool
    names: tuple[str, ...]

    def having(self, role: str) -> str:
        """The first parameter with this role; "" for none."""
        return next((name for name, found in self.roles.items() if found == role), "")

    @property
    def unfilled(self) -> tuple[str, ...]:
        """Required parameters that no argument of an attention call fills."""
        return tuple(name for name in self.required if name not in self.roles)


def signature_of(function: Callable[..., Any]) -> Signature | None:
    """The signature of a callable with at least three positional parameters; None otherwise."""
    parameters = list(_parameters(function))
    takes_layer = bool(parameters) and parameters[0].name == LAYER
    parameters = parameters[takes_layer:]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 3:
        return None
    order = _order([p.name for p in positional[:3]])
    others = [p for p in parameters if p not in positional[:3]]
    named = [p for p in others if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return Signature(
        roles={p.name: role for p in named if (role := role_of(p.name))},
        required=tuple(p.name for p in named if p.default is p.empty),
        annotated={p.name: _text(p.annotation) for p in named if p.annotation is not p.empty},
        defaults={p.name: p.default for p in named if p.default is not p.empty},
        keyword_only=frozenset(p.name for p in named if p.kind is p.KEYWORD_ONLY),
        takes_any=any(p.kind is p.VAR_KEYWORD for p in parameters),
        named_qkv=order is not None,
        order=order or IN_ORDER,
        takes_layer=takes_layer,
        names=tuple(p.name for p in named),
    )


def is_apply(function: Callable[..., Any]) -> bool:
    """Whether this is `apply` of an autograd function: its parameters are those of `forward`."""
    owner = getattr(function, "__self__", None)
    return isinstance(owner, type) and function_base(owner) is not None


def function_base(kind: type) -> Any:
    """The class torch.autograd.Function among the bases; None without it. Imports no torch."""
    found = (each for each in kind.__mro__ if each.__module__ == "torch.autograd.function")
    return next((each for each in found if each.__name__ == "Function"), None)


def role_of(name: str) -> str:
    """The role of a parameter of this name; "" for none."""
    return _OF_NAME.get(name.lower(), "")


def _order(names: Iterable[str]) -> tuple[int, ...] | None:
    """Which of q, k and v each name means; None where they are not one of each."""
    meant = [
        [index for index, family in enumerate(_FAMILIES) if re.match(family, name.lower())]
        for name in names
    ]
    order = tuple(index for found in meant for index in found)
    return order if sorted(order) == list(IN_ORDER) else None


def _parameters(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    """The parameters; of a function in C, those that the first line of its docstring lists."""
    if is_apply(function):
        kind: Any = function.__self__  # type: ignore[attr-defined] # a bound method
        first = 1 if kind.setup_context is function_base(kind).setup_context else 0
        return list(inspect.signature(kind.forward).parameters.values())[first:]  # without ctx
    forward = getattr(function, "forward", None)  # torch modules: __call__ takes anything
    try:
        return inspect.signature(function if forward is None else forward).parameters.values()
    except (TypeError, ValueError):
        return _documented(function)


def _documented(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    schema = getattr(function, "schema", None)  # of a function that torch.jit compiled
    if schema is not None:
        return [_positional(each.name, each) for each in schema.arguments]
    text = re.search(r"^\s*\w+\((.*?)\)", inspect.getdoc(function) or "", re.DOTALL)
    try:
        tree = ast.parse(f"def f({text[1] if text else ''}): ...")
    except SyntaxError:
        return []
    arguments = tree.body[0].args  # type: ignore[attr-defined] # the one function of this source
    defaults = [*[None] * (len(arguments.args) - len(arguments.defaults)), *arguments.defaults]
    return [
        inspect.Parameter(
            each.arg,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if value is None else ast.literal_eval(value),
        )
        for each, value in zip(arguments.args, defaults, strict=True)
    ]


def _positional(name: str, argument: Any) -> inspect.Parameter:
    has_default = argument.has_default_value()
    default = argument.default_value if has_default else inspect.Parameter.empty
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def _text(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return getattr(annotation, "__qualname__", None) or str(annotation)
