"""A user's function that makes a model and its batch, as FILE.py:FUNCTION names it.

`expect_function` reads the file without running it, before a session is spent.
"""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

USAGE: Final = "def make(problem): return model, batch"
ANY: Final = "*"
"""Stands for the names that `from module import *` defines."""


def expect_function(spec: str) -> None:
    """Raise ValueError where FILE.py:FUNCTION names no file, or a file without the function."""
    path, _, function = spec.rpartition(":")
    try:
        tree = ast.parse(Path(path).read_bytes(), path)
    except OSError as error:
        raise ValueError(
            f"model:{spec}: {error.strerror}: {path}; expected a path from {Path.cwd()}"
        ) from None
    except SyntaxError as error:
        raise ValueError(f"model:{spec}: {path}, line {error.lineno}: {error.msg}") from None
    names = set(_defined(tree))
    if function not in names and ANY not in names:
        near = difflib.get_close_matches(function, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"{path} has no function {function!r}; {hint}expected {USAGE}")


def loaded(spec: str) -> Callable[[Any], Any]:
    """The function; its file may import modules of its own folder. Raises what the file raises."""
    path, _, function = spec.rpartition(":")
    file = Path(path).resolve()
    name = f"attnbench_model_{file.stem}"
    found = spec_from_file_location(name, file)
    if found is None or found.loader is None:
        raise ValueError(f"model:{spec}: {path} is no module of Python")
    module = module_from_spec(found)
    sys.modules[name] = module  # libraries look up the file of a model's class there
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    found.loader.exec_module(module)
    if not callable(made := getattr(module, function, None)):
        raise ValueError(f"{path} has no function {function!r}; expected {USAGE}")  # noqa: TRY004 - a mistake in a file, as others
    result: Callable[[Any], Any] = made
    return result


def _defined(tree: ast.Module) -> Iterator[str]:
    """The names that a file defines or imports anywhere."""
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in each.names)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
