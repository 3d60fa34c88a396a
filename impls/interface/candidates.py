"""The attention functions of a file: decorated ones, or plain callables found by their parameters.

A plain callable is a function, an instance or a class with `__call__` or `forward`, a partial, or
`apply` of an autograd function.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from impls.interface import Implementation
from impls.interface.exceptions import said_by
from impls.interface.implementation import from_function, takes_a_problem
from impls.interface.signatures import function_base, role_of, signature_of

PREPARE: Final = "prepare"
"""A function of this name that takes a problem is named after its file."""
_OF_JAX: Final = "PjitFunction"
"""The class of functions that jax compiled: they take arrays of jax, and no tensors."""
_HELPER: Final = re.compile(
    r"(apply|bench|benchmark|check|construct|convert|create|generate|get|init|make|merge|pack|plot"
    r"|print|repeat|rotate|split|test|unpack)(_|$)"
)
"""Names of functions that prepare or test attention: they count where a file has no others."""


def candidates(module: ModuleType, stem: str) -> list[Implementation]:
    """The implementations of a module; imported callables count where it defines none.

    stem  the name of its file

    Raises ValueError where none of its attention functions can be called.
    """
    members = dict(_members(module))
    decorated = [
        each
        for each in members.values()
        if isinstance(each, Implementation) and each.function.__module__ == module.__name__
    ]
    if decorated:
        return decorated
    own = {name: each for name, each in members.items() if _is_of(module, each)}
    some = own if any(map(_is_code, own.values())) else members
    found = {name: each for name, each in some.items() if is_attention(each)}
    if found:
        return _made(_without_helpers(found) or found, stem)
    three = _without_helpers({name: each for name, each in own.items() if _takes_three(each)})
    if not any(map(_is_named_attention, three)):
        _expect_no_other_form(own)
    return _made(three, stem)


def contents(module: ModuleType) -> str:
    """The public names that a module defines, or all of them; `nothing` without any."""
    members = dict(_members(module))
    own = [name for name, each in members.items() if _is_code(each) and _is_of(module, each)]
    return ", ".join(own or members) or "nothing"


def named(module: ModuleType, name: str, stem: str) -> Implementation | None:
    """The implementation of this name; None where the module has no attention function of it.

    Raises ValueError where it cannot be called.
    """
    each = getattr(module, name, None)
    if name == stem and not callable(each) and not isinstance(each, Implementation):
        each = getattr(module, PREPARE, None)
    if isinstance(each, Implementation):
        return each
    if is_attention(each) or _takes_three(each):
        return _one(each, name)
    _expect_no_other_form({name: each})
    return None


def is_attention(candidate: object) -> bool:
    """Whether its first parameters are named like query, key and value, or its first `problem`."""
    function = _function(candidate)
    if function is None or type(function).__name__ == _OF_JAX:
        return False
    found = signature_of(function)
    return takes_a_problem(function) or (found is not None and found.named_qkv)


def _takes_three(candidate: object) -> bool:
    function = None if isinstance(candidate, type) else _function(candidate)
    return function is not None and signature_of(function) is not None


def _is_code(each: object) -> bool:
    return inspect.isroutine(each) or isinstance(each, type)


def _without_helpers(found: dict[str, Any]) -> dict[str, Any]:
    """Functions of a problem, which call the others; else those without the name of a helper."""
    two_steps = {name: each for name, each in found.items() if takes_a_problem(each)}
    others = {name: each for name, each in found.items() if not _HELPER.match(name)}
    return two_steps or others


def _is_named_attention(name: str) -> bool:
    return "att" in name.lower()


def _expect_no_other_form(own: dict[str, Any]) -> None:
    """Raises ValueError where the attention of a file takes other arguments than q, k and v."""
    layers = [name for name, each in own.items() if hasattr(each, "forward")]
    functions = [name for name, each in own.items() if inspect.isfunction(each)]
    named = filter(_is_named_attention, (*layers, *functions))
    name = next(named, layers[-1] if layers else "")
    if not name:
        return
    call = getattr(own[name], "forward", own[name])
    taken = ", ".join(inspect.signature(call).parameters).removeprefix("self, ")
    raise ValueError(
        f"no attention function: {name} takes ({taken}); expected (q, k, v, ...): add a function "
        "of them, or see projections= for a layer (CONTRIBUTING.md)"
    )


def _made(found: dict[str, Any], stem: str) -> list[Implementation]:
    """Implementations of callables; those that cannot be called are left out where others can."""
    made: list[Implementation] = []
    faults: list[str] = []
    for name, each in found.items():
        try:
            made.append(_one(each, stem if name == PREPARE else name))
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults and not made:
        raise ValueError(faults[0])
    return made


def _one(candidate: Any, name: str) -> Implementation:
    function = _function(candidate)
    if function is None:
        raise ValueError(f"it is a {type(candidate).__name__}; expected a callable")
    if isinstance(candidate, type) and function_base(candidate) is None:
        function = _instance(candidate)
    _expect_no_weights(function)
    return from_function(function, name)


def _instance(kind: type) -> Any:
    """An instance, without dropout. Raises ValueError where this needs other arguments."""
    required = [
        p.name
        for p in _constructor(kind)
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if others := [name for name in required if role_of(name) != "dropout"]:
        values = ", ".join(f"{name}=..." for name in required)
        raise ValueError(
            f"its constructor needs {', '.join(others)}; expected a class without required "
            f"arguments: add a line attention = {kind.__name__}({values})"
        )
    try:
        return kind(**dict.fromkeys(required, 0.0))
    except Exception as error:
        path = Path(sys.modules[kind.__module__].__file__ or "")
        raise ValueError(f"its constructor raises {said_by(error, path)}") from error


def _members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Public members, each object once; a class is left out where an instance of it is there."""
    public = {name: each for name, each in vars(module).items() if not name.startswith("_")}
    kinds = {type(each) for each in public.values()}
    seen: set[int] = set()
    for name, each in public.items():
        if id(each) not in seen and not (isinstance(each, type) and each in kinds):
            seen.add(id(each))
            yield name, each


def _is_of(module: ModuleType, each: Any) -> bool:
    """Whether this module defines it: a function or class of it, or an object made in it."""
    if inspect.isroutine(each) or isinstance(each, type):
        owner = getattr(each, "__self__", each)
        where = owner if isinstance(owner, type) else each
        return getattr(where, "__module__", None) == module.__name__
    return callable(each)


def _function(candidate: Any) -> Callable[..., Any] | None:
    """The callable behind a candidate, without making an instance; None for anything else."""
    if isinstance(candidate, Implementation) or not callable(candidate):
        return None
    if not isinstance(candidate, type):
        return candidate
    if function_base(candidate) is not None:
        return getattr(candidate, "apply", None)
    forward = getattr(candidate, "forward", None) or candidate.__dict__.get("__call__")
    return _unbound(forward) if inspect.isfunction(forward) else None


def _constructor(kind: type) -> Iterator[inspect.Parameter]:
    if kind.__init__ is object.__init__:  # type: ignore[misc] # compared, not called
        return
    yield from list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc] # likewise


def _unbound(method: Callable[..., Any]) -> Callable[..., Any]:
    """A stand-in with the parameters of a method without `self`, to read its signature."""

    def stand_in() -> None: ...

    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())[1:]
    stand_in.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # read by inspect
    return stand_in


def _expect_no_weights(function: Any) -> None:
    """Set a torch module to evaluation mode. Raises ValueError for one with weights."""
    if not hasattr(function, "named_parameters"):
        return
    if names := [name for name, _ in function.named_parameters()]:
        raise ValueError(
            f"it has weights of its own ({', '.join(names[:3])}); expected attention without "
            "weights, or a layer with projections= (CONTRIBUTING.md)"
        )
    function.eval()
