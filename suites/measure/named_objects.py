"""The objects that a callable uses: what its code, and the code of its own file, names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from impls.interface import Implementation

_INNER: Final = ("__wrapped__", "_torchdynamo_orig_callable")
"""Attributes under which wrappers keep the function inside."""


def objects_of(implementation: Implementation) -> list[Any]:
    """The objects that an implementation uses, and those of the one inside it."""
    own = list(named_objects(implementation.function))
    return own if implementation.inner is None else own + objects_of(implementation.inner)


def named_objects(function: Any) -> Iterator[Any]:
    """The callable itself, and every object that it uses, each once.

    Functions and instances of classes of its own file are searched in turn. Objects of other files
    are returned and not searched.
    """
    own = _file_of(function)
    waiting, seen = [function], set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if each is function or _is_wrapper(each) or (own and _file_of(each) == own):
            waiting += _named_by(each)


def names_in_code(function: Any) -> set[str]:
    """Global names, attributes and imported modules in the code of a function; of others none."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return set()
    return {name for each in _codes(code) for name in each.co_names}


def root_module(each: Any) -> str:
    """The first word of the module that an object belongs to, or of the module that it is."""
    if isinstance(each, ModuleType):
        return each.__name__.partition(".")[0]
    kind = each if isinstance(each, (type, FunctionType)) else type(each)
    return str(getattr(kind, "__module__", "")).partition(".")[0]


def _file_of(each: Any) -> str:
    """The module of a function, or of the class of an instance."""
    if isinstance(each, MethodType | functools.partial):
        return _file_of(each.__func__ if isinstance(each, MethodType) else each.func)
    kind = each if isinstance(each, (type, FunctionType)) or _is_wrapper(each) else type(each)
    return str(getattr(kind, "__module__", ""))


def _is_wrapper(each: Any) -> bool:
    found = getattr(each, "__dict__", {})
    return isinstance(each, MethodType | functools.partial) or any(name in found for name in _INNER)


def _named_by(each: Any) -> Iterator[Any]:
    """The objects that one object uses directly."""
    if isinstance(each, MethodType):
        yield from (each.__func__, each.__self__)
    elif isinstance(each, functools.partial):
        yield from (each.func, *each.args, *each.keywords.values())
    elif isinstance(each, FunctionType):
        yield from _of_code(each)
    elif not isinstance(each, (type, ModuleType)):
        yield type(each)
        yield from (getattr(each, "_modules", None) or {}).values()
    if not isinstance(each, ModuleType):
        yield from getattr(each, "__dict__", {}).values()


def _of_code(function: FunctionType) -> Iterator[Any]:
    """Values of the globals that a function's code names, and of its closure."""
    for name in names_in_code(function) & function.__globals__.keys():
        yield function.__globals__[name]
    with_values = (cell for cell in function.__closure__ or () if _is_filled(cell))
    yield from (cell.cell_contents for cell in with_values)


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _codes(constant)
