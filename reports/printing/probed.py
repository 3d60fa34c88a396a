"""What was found out about plain functions: as tables, as data, and while it is going on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from impls.interface import Limits
from impls.interface.limits import words_of
from reports import words
from reports.printing.layout import table
from reports.printing.terminal import Screen
from suites.discover.discovery import DeviceFinding, Discovery
from suites.discover.limits import Unsupported, decorator_source, non_default_fields
from suites.records.record import Record

FIELDS: Final = {
    "devices": "devices",
    "dtypes": "dtypes",
    "masks": "masks",
    "biases": "biases",
    "head_dims": "head dimensions",
    "grouped_heads": "grouped heads",
    "unequal_lengths": "Tq != Tk",
    "backward": "training",
    "own_scale": "a scale of its own",
    "own_value_dim": "a value dimension of its own",
    "softcap": "softcap",
    "sink": "sink",
}
"""The fields of Limits in words, in its order."""


class ProbeScreen(Screen):
    """Progress of probing: what is not answered right is what one wants to know, not a fault."""

    def phase(self, text: str, total: int | None = None) -> None:
        """A part of the probing begins."""
        super().phase(f"finding out what it can do: {text}", total)

    def record(self, _: Record) -> None:
        """A problem was asked: one step."""
        self.advance()


def tables(found: Discovery) -> list[RenderableType]:
    """What holds, what does not and why, and the Limits to paste."""
    made: list[RenderableType] = []
    for reach in found.devices:
        made += _of_device(found, reach)
    if found.limits:
        made.append(Text(f"\nTo paste above `def {found.name}`:\n", style="bold"))
        made.append(Text(decorator_source(found.limits), no_wrap=True, overflow="ignore"))
    return [*made, Text(f"\n{_conclusion(found)}")]


def as_data(found: Discovery) -> dict[str, Any]:
    """The same for programs.

    devices   for each: the base, what was tried for one, and the features that do not hold
    limits    fields that are not what Limits says by itself; a range is [first, last, step]
    paste     the Python of them; empty without a base that agrees
    wrong     problems within what it claims that were not answered right in probing
    verified  problems of the suite within these limits by status; null: it agrees with its claims
    """
    verified = None if found.verified is None else _by_status(found.verified)
    return {
        "implementation": found.name,
        "devices": [_device_data(reach) for reach in found.devices],
        "limits": [_limits_data(each) for each in found.limits],
        "paste": decorator_source(found.limits) if found.limits else "",
        "wrong": found.wrong,
        "verified": verified,
    }


def _of_device(found: Discovery, reach: DeviceFinding) -> list[RenderableType]:
    if reach.limits is None:
        title = f"Where {found.name} was to start from on {reach.device}"
        return [_listed(title, ("problem", "reason"), reach.tried.items())]
    held = ((FIELDS[name], _held(reach.limits, name)) for name in FIELDS)
    title = f"What {found.name} can do, asked beside {reach.base}"
    made = [_listed(title, ("feature", "holds"), held)]
    if reach.unsupported:
        alike = _alike(reach.unsupported)
        lacks = ((_features(each), each[0].problem, each[0].reason) for each in alike)
        made.append(_listed("What it cannot", ("feature", "first problem", "reason"), lacks))
    return made


def _listed(
    title: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]
) -> RenderableType:
    made = table(title)
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(Text(words.printable(str(cell))) for cell in row))
    return made


def _held(limits: Limits, name: str) -> str:
    value = getattr(limits, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, range):
        return words_of(value)
    return ", ".join(value)


def _alike(lacking: Iterable[Unsupported]) -> list[list[Unsupported]]:
    """Those of one field that lack for one reason, together."""
    found: dict[tuple[str, str], list[Unsupported]] = defaultdict(list)
    for each in lacking:
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
            f"Nothing to paste: {found.name} agrees on no problem to start from; once it does on "
            "one, the rest is found out."
        )
    if found.verified is None:
        return (
            f"{found.name} agrees with all that its parameters claim; these Limits state what "
            "was asked of it."
        )
    fallen = [record for record in found.verified if record.status != "ok"]
    count = words.counted(len(found.verified), "problem")
    if not fallen:
        return (
            f"As it stands it claims more than it can; with these Limits it agrees on all of the "
            f"{count} of the suite within them."
        )
    first_fallen = fallen[0]
    return (
        f"Within these Limits it still does not agree on {len(fallen)} of {count}; "
        f"{first_fallen.problem}: {words.printable(first_fallen.reason)}"
    )


def _device_data(reach: DeviceFinding) -> dict[str, Any]:
    return {
        "device": reach.device,
        "base": None if reach.base is None else str(reach.base),
        "tried": {str(problem): fault for problem, fault in reach.tried.items()},
        "lacking": [
            {
                "field": each.feature.field,
                "value": each.feature.value,
                "problem": str(each.problem),
                "reason": each.reason,
            }
            for each in reach.unsupported
        ],
    }


def _limits_data(limits: Limits) -> dict[str, Any]:
    return {
        name: [value[0], value[-1], value.step] if isinstance(value, range) else value
        for name, value in non_default_fields(limits).items()
    }


def _by_status(records: Iterable[Record]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        counts[record.status] += 1
    return dict(counts)
