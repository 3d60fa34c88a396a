"""The limits of a plain function, found by trial, as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from impls.interface import Limits
from impls.interface.limits import OPTIONAL, words_of
from reports.outputs.terminal.grid_tables import table
from reports.views.text import counted, printable
from suites.discover.discovery import DeviceFinding, Discovery
from suites.discover.limits import Unsupported, decorator_source

FIELDS: Final = {
    "devices": "devices",
    "dtypes": "dtypes",
    "masks": "masks",
    "biases": "biases",
    "head_dims": "head dimensions",
    "grouped_heads": "grouped heads",
    "unequal_lengths": "Tq != Tk",
    "backward": "training",
    "own_scale": "own scale",
    "own_value_dim": "own value dimension",
    **{name: name for name in OPTIONAL},
    "length_multiple": "Tq and Tk are multiples of",
    "head_multiple": "heads are multiples of",
    "queries_at_most_keys": "Tq <= Tk only",
    "windows": "forms of windows",
    "keyless_rows": "queries without keys",
}
"""The fields of Limits in words, in the order of their declaration."""


def tables(found: Discovery) -> list[RenderableType]:
    """The features that hold, those that do not and why, and the Limits to paste."""
    made: list[RenderableType] = []
    for finding in found.devices:
        made += _of_device(found, finding)
    if found.limits:
        made.append(Text(f"\nTo paste above `def {found.name}`:\n", style="bold"))
        made.append(Text(decorator_source(found.limits), no_wrap=True, overflow="ignore"))
    return [*made, Text(f"\n{_conclusion(found)}")]


def _of_device(found: Discovery, finding: DeviceFinding) -> list[RenderableType]:
    if finding.limits is None:
        title = f"{found.name} agrees on none of these on {finding.device}"
        return [_listed(title, ("problem", "reason"), finding.tried.items())]
    held = ((FIELDS[name], _held(finding.limits, name)) for name in FIELDS)
    title = f"Limits of {found.name}, tried on variants of {finding.base}"
    made = [_listed(title, ("feature", "holds"), held)]
    if finding.unsupported:
        alike = _alike(finding.unsupported)
        lacks = ((_features(each), each[0].problem, each[0].reason) for each in alike)
        made.append(
            _listed("Features that do not hold", ("feature", "first problem", "reason"), lacks)
        )
    return made


def _listed(
    title: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]
) -> RenderableType:
    made = table(title)
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(str(cell))) for cell in row))
    return made


def _held(limits: Limits, name: str) -> str:
    value = getattr(limits, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, range):
        return words_of(value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _alike(unsupported: Iterable[Unsupported]) -> list[list[Unsupported]]:
    """Missing features of one field with one reason, together."""
    found: dict[tuple[str, str], list[Unsupported]] = defaultdict(list)
    for each in unsupported:
        found[each.feature.field, each.reason].append(each)
    return list(found.values())


def _features(alike: list[Unsupported]) -> str:
    """`training`, `masks causal, window`, `head dimensions 33`."""
    field = FIELDS[alike[0].feature.field]
    values = [each.feature.value for each in alike]
    return field if values == [True] else f"{field} {', '.join(map(str, values))}"


def _conclusion(found: Discovery) -> str:
    if not found.limits:
        return (
            f"Nothing to paste: {found.name} agrees on none of the problems that trials start from."
        )
    if found.verified is None:
        return (
            f"{found.name} agrees on all that its parameters accept; these Limits state what was "
            "tried."
        )
    failed = [record for record in found.verified if record.status != "ok"]
    count = counted(len(found.verified), "problem")
    if not failed:
        return (
            f"Its parameters accept more than it computes correctly; with these Limits it agrees "
            f"on all of the {count} of the suite within them."
        )
    first = failed[0]
    return (
        f"Within these Limits it still does not agree on {len(failed)} of {count}; "
        f"{first.problem}: {printable(first.reason)}"
    )
