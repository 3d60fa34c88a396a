"""The probes of a check, in the order of their `order`.

A probe is a file in this folder that defines `PROBE`. Its file name is its name.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from suites.agreement.trial import Probe


@functools.cache
def all_probes() -> dict[str, Probe]:
    """Every probe of this folder by name, in order."""
    names = [each.name for each in pkgutil.iter_modules(__path__)]
    found: dict[str, Probe] = {
        name: importlib.import_module(f"{__name__}.{name}").PROBE for name in names
    }
    return dict(sorted(found.items(), key=lambda item: item[1].order))
