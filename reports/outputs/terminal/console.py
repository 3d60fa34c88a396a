"""Prints tables, sentences, paths and JSON documents."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text


def console(*, stderr: bool = False) -> Console:
    """The console of standard output or of standard error."""
    return Console(stderr=stderr)


def waiting(text: str) -> AbstractContextManager[object]:
    """Shows on standard error what goes on; nothing where that is no terminal."""
    to = console(stderr=True)
    return to.status(text) if to.is_terminal else nullcontext()


def print_tables(tables: Iterable[RenderableType], *, stderr: bool = False) -> None:
    """Tables and sentences, one after the other; no line is cut at the width."""
    console(stderr=stderr).print(*tables, sep="\n", crop=False)


def print_line(text: str, *, stderr: bool = False) -> None:
    """A sentence, unbroken, however narrow the terminal is."""
    console(stderr=stderr).print(text, highlight=False, markup=False, soft_wrap=True)


def print_text(text: Text, to: Console) -> None:
    """A styled text on one line, however narrow the terminal is."""
    to.print(text, soft_wrap=True)


def print_paths(paths: Iterable[Path | str]) -> None:
    """One path a line."""
    for path in paths:
        print_line(str(path))


def print_json(data: Any, *, indent: int | None = 1) -> None:
    """One document; without an indent, one line."""
    sys.stdout.write(json.dumps(data, indent=indent) + "\n")
    sys.stdout.flush()
