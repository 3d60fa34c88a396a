"""Common mistakes of attention functions, in the order of their `order`.

A slip is a file in this folder that defines `SLIP`: a family of mistakes.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from suites.agreement.slip import Slip


@functools.cache
def all_slips() -> dict[str, Slip]:
    """Every slip of this folder by file name, in order."""
    names = [each.name for each in pkgutil.iter_modules(__path__)]
    found: dict[str, Slip] = {
        name: importlib.import_module(f"{__name__}.{name}").SLIP for name in names
    }
    return dict(sorted(found.items(), key=lambda item: item[1].order))
