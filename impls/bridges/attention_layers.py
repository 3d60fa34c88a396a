"""Attention layers of a model, by the names that the code of their forward methods reads.

The code of a layer is its forward method with the functions and methods that it calls by name, and
the call of its processor (diffusers). Layers inside it have their own code.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Hashable, Iterator
from enum import Enum
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, cast

from torch import nn

INTERFACE: Final = "ALL_ATTENTION_FUNCTIONS"
"""The name by which layers of transformers call its attention interface."""
SDPA: Final = ("scaled_dot_product_attention", "dispatch_attention_fn")
"""Names in layers that call torch: by itself, or by the function of diffusers that chooses."""
SOFTMAX: Final = ("softmax", "Softmax", "baddbmm")
"""Names in the code of attention by matrix products."""
DEEPEST: Final = 3
"""Calls that are followed from a forward method: a method, its function, and one more."""


class Kind(Enum):
    """The attention in the code of a layer."""

    INTERFACE = "calls the attention interface of transformers"
    SDPA = "calls scaled_dot_product_attention"
    ITSELF = "computes attention by itself"
    NONE = "none"


def attention_kinds(model: nn.Module) -> dict[str, Kind]:
    """The attention layers of a model by name; modules without attention are left out."""
    known: dict[Hashable, Kind] = {}
    found = {}
    for name, module in model.named_modules():
        code = type(module), *_callables(module)
        if code not in known:
            known[code] = kind_of(module)
        if known[code] is not Kind.NONE:
            found[name] = known[code]
    return found


def _callables(module: nn.Module) -> Iterator[Hashable]:
    """The functions of a module itself, and the classes of its processors."""
    for value in (*vars(module).values(), *module.children()):
        if isinstance(value, FunctionType | MethodType):
            yield getattr(value, "__func__", value)
        elif callable(value) and not _is_layer(value):
            yield cast("Hashable", type(value))


def kind_of(module: nn.Module) -> Kind:
    """The attention in the code of a module, without that of the modules inside it."""
    names = names_of(module)
    if INTERFACE in names:
        return Kind.INTERFACE
    if not names.isdisjoint(SDPA):
        return Kind.SDPA
    is_named = "Attention" in type(module).__name__
    return Kind.ITSELF if is_named and not names.isdisjoint(SOFTMAX) else Kind.NONE


def names_of(module: nn.Module) -> set[str]:
    """The names that the code of a module reads."""
    names: set[str] = set()
    known: set[CodeType] = set()
    owners: tuple[Any, ...] = (module,)
    left = [(function, 0) for function in _functions(module.forward)]
    while left:
        function, depth = left.pop()
        if function.__code__ in known:
            continue
        known.add(function.__code__)
        read = list(_read(function.__code__))
        names |= {name for name, _ in read}
        if depth == DEEPEST:
            continue
        for value in _values(read, function, owners):
            if isinstance(value, FunctionType | MethodType):
                left += [(each, depth + 1) for each in _functions(value)]
            elif _is_processor(value):
                owners = (*owners, value)
                left += [(each, depth + 1) for each in _functions(type(value).__call__)]
            else:
                names.add(getattr(value, "__name__", ""))
    return names


def _functions(value: Any) -> list[FunctionType]:
    """The Python function of a method or of a wrapped function; none for one in C."""
    found = inspect.unwrap(getattr(value, "__func__", value))
    return [found] if isinstance(found, FunctionType) else []


def _read(code: CodeType) -> Iterator[tuple[str, bool]]:
    """Names that a function and those inside it read, and whether each is an attribute."""
    for each in dis.get_instructions(code):
        if each.opcode in dis.hasname:
            yield str(each.argval), "ATTR" in each.opname or "METHOD" in each.opname
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _read(inner)


def _values(
    read: list[tuple[str, bool]], function: FunctionType, owners: tuple[Any, ...]
) -> Iterator[Any]:
    """Functions and processors of these names: in the globals, in modules, and of the owners."""
    found = [function.__globals__.get(name) for name, is_attribute in read if not is_attribute]
    modules = [value for value in found if isinstance(value, ModuleType)]
    for name in {name for name, is_attribute in read if is_attribute}:
        found += [vars(each).get(name) for each in modules]
        found += [_attribute(owner, name) for owner in owners]
    yield from (each for each in found if callable(each) and not isinstance(each, type))


def _attribute(owner: Any, name: str) -> Any:
    """An attribute, without running code of a property; None for modules inside."""
    value = inspect.getattr_static(owner, name, None)
    if value is None and isinstance(owner, nn.Module):
        value = owner._modules.get(name)  # noqa: SLF001 - getattr would run code
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    return None if _is_layer(value) else value


def _is_layer(value: Any) -> bool:
    """Whether this is a module whose call goes to its forward method."""
    return isinstance(value, nn.Module) and type(value).__call__ is nn.Module.__call__


def _is_processor(value: Any) -> bool:
    """Whether this is an object whose class has a method in Python that calls it."""
    return isinstance(inspect.getattr_static(type(value), "__call__", None), FunctionType)
