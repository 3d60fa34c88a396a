"""Parts of the page between the verdicts and what the run does not show, one module each.

A module has `ORDER`, its place among the parts, and `section(analysis)`, which returns its Section
or None. A new module is found by itself.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from reports.analysis.run_analysis import Analysis
from reports.views.sections import Section


def sections(analysis: Analysis) -> list[Section]:
    """The sections of all parts that have something to show, in order."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    modules.sort(key=lambda module: module.ORDER)
    made = (module.section(analysis) for module in modules)
    return [section for section in made if section is not None and not section.is_empty]
