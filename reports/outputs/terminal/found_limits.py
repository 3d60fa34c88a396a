"""The limits of a plain function, found by trial, in words, and the Limits to paste."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from impls.interface import Limits, Problem
from impls.interface.limits import OPTIONAL, WINDOWS, words_of
from reports.views.text import counted, printable
from suites.discover.discovery import Discovery
from suites.discover.limits import Feature
from suites.discover.source import decorator_source

MOST_VALUES: Final = 3
"""Values of one feature in a line; further ones are counted."""
RESTRICTIONS: Final = {
    "length_multiple": "lengths in multiples of",
    "head_multiple": "heads in multiples of",
    "queries_at_most_keys": "Tq <= Tk only",
    "windows": "windows",
    "keyless_rows": "queries without a key",
}
"""Fields that are shown where they restrict something."""
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
    **RESTRICTIONS,
}
"""The fields of Limits in words, in the order of their declaration."""


def features(found: Discovery) -> list[tuple[str, str]]:
    """The features that hold, one line each; of several devices each with its name."""
    devices = [each for each in found.devices if each.limits is not None]
    made = []
    for finding in devices:
        held = ((name, _held(finding.limits, name)) for name in FIELDS)  # type: ignore[arg-type] # not None
        on = f" on {finding.device}" if len(devices) > 1 else ""
        made += [(f"{FIELDS[name]}{on}", value) for name, value in held if value]
    return made


def lacking(found: Discovery) -> dict[Problem, list[Feature]]:
    """The features that do not hold, by the first problem that failed."""
    made: dict[Problem, list[Feature]] = defaultdict(list)
    for finding in found.devices:
        for each in finding.unsupported:
            made[each.problem].append(each.feature)
    return made


def words(lacking: Mapping[Problem, Sequence[Feature]], problems: Iterable[Problem]) -> str:
    """`training, masks causal, window`: features that fail on these problems; empty for none."""
    by_field: dict[str, list[Any]] = defaultdict(list)
    for problem in problems:
        for feature in lacking.get(problem, ()):
            if feature.value not in by_field[feature.field]:
                by_field[feature.field].append(feature.value)
    return ", ".join(_words(field, values) for field, values in by_field.items())


def not_accepted(found: Discovery) -> str:
    """The features that its parameters do not accept; empty for none."""
    failed = {record.problem for record in found.faults}
    refused = [problem for problem in lacking(found) if problem not in failed]
    said = words(lacking(found), refused)
    return f"not accepted by its parameters: {said}" if said else ""


def to_paste(found: Discovery) -> list[RenderableType]:
    """The Limits to paste, and what they state."""
    made: list[RenderableType] = []
    if found.limits:
        made.append(Text(f"\nTo paste above `def {found.name}`:\n", style="bold"))
        source = Text(decorator_source(found.limits), no_wrap=True, overflow="ignore")
        made.append(Group(source))  # texts beside each other would be joined, and broken
    return [*made, Text(f"\n{_conclusion(found)}")]


def _words(field: str, values: Sequence[Any]) -> str:
    """`training`, `masks causal, window`, `head dimensions 33`; many values are counted."""
    if field == "queries_at_most_keys":
        return "Tq > Tk"
    name = FIELDS.get(field, field)
    if values == [True] or set(values) == set(WINDOWS):
        return name
    left = len(values) - MOST_VALUES
    shown = ", ".join(map(str, values[:MOST_VALUES] if left > 1 else values))
    return f"{name} {shown} and {left} more" if left > 1 else f"{name} {shown}"


def _held(limits: Limits, name: str) -> str:
    """A field in words; empty for one that restricts nothing."""
    value = getattr(limits, name)
    if name in RESTRICTIONS and value == getattr(Limits(), name):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, range):
        return words_of(value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


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
    if not found.verified:
        return "No problem of the suite is within these Limits; the trials that found them agree."
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
