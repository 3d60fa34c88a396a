"""Functions of a script or a notebook as implementations of a run.

A session is a fresh process that imports files. A function of a file is given by that file. A
function that exists only in `__main__`, a lambda or a closure is written into a file of its own, by
cloudpickle: its code and the values that it uses. That file has the hash of the record.
"""

from __future__ import annotations

import base64
import inspect
import os
import pickle
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from impls.interface import Implementation

MOST_BYTES: Final = 64 << 20
"""Of a pickled function; a larger one holds tensors that belong into a file."""
_DIGITS: Final = 8
"""Digits of a hash in the name of a file."""
_WIDTH: Final = 96
"""Characters of a line of the pickled function."""
_UNPICKLABLE: Final = (
    pickle.PicklingError, TypeError, AttributeError, ValueError, RuntimeError, NotImplementedError,
)  # fmt: skip
"""The exceptions of cloudpickle for a value that it cannot write."""

Given = str | Callable[..., Any] | Implementation
"""An implementation as --impl takes it, a function, or a decorated one."""
Implementations = Mapping[str, Given] | Sequence[Given] | Given


def specs(given: Implementations, folder: Path) -> list[str]:
    """Implementations as --impl takes them; functions without a file get one in the folder.

    Raises ValueError for a function that cannot be written into a file, and for no implementation.
    """
    if isinstance(given, str | Implementation) or callable(given):
        given = [given]
    pairs = given.items() if isinstance(given, Mapping) else [("", each) for each in given]
    found = [_spec(name, each, folder) for name, each in pairs]
    if not found:
        raise ValueError("no implementation; expected some, as {'mine': my_function}")
    return found


@contextmanager
def importable() -> Iterator[None]:
    """Within this, sessions find modules where this process finds them, as beside a notebook."""
    before = os.environ.get("PYTHONPATH")
    known = {Path(each).resolve() for each in (sys.prefix, sys.base_prefix)}
    own = [
        str(path)
        for path in (Path(each or ".").resolve() for each in sys.path)
        if path.is_dir() and known.isdisjoint({path, *path.parents})
    ]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*filter(None, [before]), *own]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _spec(name: str, given: Given, folder: Path) -> str:
    if isinstance(given, str):
        return f"{name}={given}" if name and name != given else given
    if not (callable(given) or isinstance(given, Implementation)):
        raise ValueError(  # noqa: TRY004 - one error for all
            f"{name or 'an implementation'} is {type(given).__name__}; expected a function or name"
        )
    own = getattr(given, "__name__", "") or getattr(given, "name", "") or type(given).__name__
    label = name or re.sub(r"\W", "_", str(own)).strip("_")
    place = _place(given) or _pickled(label, given, folder)
    return f"{label}={place}"


def _place(function: Any) -> str:
    """FILE.py:FUNCTION of a function that a file defines by that name; empty for any other."""
    function = getattr(function, "function", function)  # of a decorated one
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", None)
    found = sys.modules.get(module or "")
    file = getattr(found, "__file__", None) or ""
    if module == "__main__" or not (file.endswith(".py") and name.isidentifier()):
        return ""
    held = getattr(found, name, None)
    return f"{file}:{name}" if function in (held, getattr(held, "function", None)) else ""


def _pickled(name: str, function: Any, folder: Path) -> str:
    """FILE.py:FUNCTION of a new file that holds the function."""
    try:
        import cloudpickle  # noqa: PLC0415 - needed for functions without a file only
    except ImportError:
        raise ValueError(
            f"{name} has no file, and cloudpickle is not installed: python -m pip install "
            f"cloudpickle, or {_into_a_file(name)}"
        ) from None
    try:
        data = cloudpickle.dumps(function)
    except _UNPICKLABLE as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"{name} cannot be sent to a fresh process ({said}): {_into_a_file(name)}"
        ) from None
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"{name} holds {len(data) >> 20} MiB, and at most {MOST_BYTES >> 20} are sent to a "
            f"fresh process: {_into_a_file(name)}"
        )
    identifier = re.sub(r"\W", "_", name)
    if not identifier.isidentifier():
        identifier = f"function_{identifier}"
    text = _text(identifier, data, _source(function))
    path = folder / f"{identifier}_{sha256(text.encode()).hexdigest()[:_DIGITS]}.py"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from error
    return f"{path}:{identifier}"


def _into_a_file(name: str) -> str:
    return f"put it into a file, and give 'my_file.py:{name}' instead of the function"


def _text(name: str, data: bytes, source: str) -> str:
    """The file of a function."""
    lines = textwrap.wrap(base64.b64encode(data).decode(), _WIDTH)
    comment = textwrap.indent(source, "# ", lambda _: True)
    return "\n".join(
        (
            f'"""The function {name} of a script or notebook, with the values that it uses."""',
            "",
            "import base64",
            "import pickle",
            "",
            "# Its source there:",
            "#",
            comment,
            f'{name} = pickle.loads(base64.b64decode("""',
            *lines,
            '"""))',
            "",
        )
    )


def _source(function: Any) -> str:
    try:
        return inspect.getsource(getattr(function, "function", function)).rstrip()
    except (OSError, TypeError):
        return "(not known)"
