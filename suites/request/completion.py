"""Words that a shell may complete: runs, suites, implementations. Nothing of torch is imported."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import typer

from impls import FOLDER
from suites.records.address import DEFAULT_STORE
from suites.request.suites import SUITES

Completion = Callable[..., list[str]]
"""Returns the words that begin with `incomplete`; typer passes what the annotations ask for."""


def words(every: Iterable[str]) -> Completion:
    """Completes one of some words."""
    known = list(every)

    def complete(incomplete: str) -> list[str]:
        return _beginning(known, incomplete)

    return complete


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """`latest`, saved names, and groups and runs, the newest first; no words without a store."""
    from suites.records.groups import group_of  # noqa: PLC0415 - likewise
    from suites.records.store import Store, StoreError  # noqa: PLC0415 - the others do not need it

    try:
        store = Store.open(ctx.params.get("store") or DEFAULT_STORE, create=False)
        names = [run.name for run in reversed(store.runs())]
        groups = filter(None, dict.fromkeys(map(group_of, names)))
        return _beginning(["latest", *store.saved(), *groups, *names], incomplete)
    except StoreError:
        return []


def implementations(incomplete: str) -> list[str]:
    """The implementations of the folder `impls`, from its files as text."""
    return _beginning(sorted(_implementations()), incomplete)


def listed_suites(ctx: typer.Context, incomplete: str) -> list[str]:
    """The suites after `list problems`; no words after another list."""
    return _beginning(SUITES, incomplete) if ctx.params.get("what") == "problems" else []


def compared(ctx: typer.Context, incomplete: str) -> list[str]:
    """Implementations where `--run` was typed, else runs."""
    return implementations(incomplete) if ctx.params.get("run") else runs(ctx, incomplete)


OPTIONS: Final[dict[str, Completion]] = {"--impl": implementations, "--against": implementations}
"""By the options of a run that take a name."""
suites: Final = words(SUITES)
"""The names of the suites."""


def _implementations() -> Iterator[str]:
    """The functions and classes with the decorator `implementation`."""
    for file in FOLDER.glob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and any(
                map(_declares, node.decorator_list)
            ):
                yield node.name


def _declares(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "implementation"


def _beginning(every: Iterable[str], typed: str) -> list[str]:
    return [each for each in every if each.startswith(typed)]
