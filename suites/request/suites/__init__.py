"""The named suites, one module each. A new module with a `SUITE` is found by itself."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from suites.request.suites.suite import Suite

KINDS: Final = ("general", "questions", "applications")
"""The folders of suites, in the order in which they are listed."""


def named(name: str) -> Suite:
    """The suite of that name. Raises ValueError with the nearest name for an unknown one."""
    if name in SUITES:
        return SUITES[name]
    if name.endswith(".py"):
        raise ValueError(f"{name!r} is a file, and no suite: name it with --impl {name}")
    near = difflib.get_close_matches(name.lower(), SUITES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown suite {name!r}; {hint}expected one of {', '.join(SUITES)}")


def _found() -> Iterator[tuple[str, Suite]]:
    """Each kind with each of its suites, `quick` first."""
    for kind in KINDS:
        package = import_module(f"{__name__}.{kind}")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        for name in sorted(names, key=lambda name: (name != "quick", name)):
            yield kind, import_module(f"{package.__name__}.{name}").SUITE


_KINDS: Final = {suite.name: (kind, suite) for kind, suite in _found()}
SUITES: Final[dict[str, Suite]] = {name: suite for name, (_, suite) in _KINDS.items()}
"""By name, in the order of KINDS."""


def kind_of(name: str) -> str:
    """The kind of a suite: general, questions or applications."""
    return _KINDS[name][0]
