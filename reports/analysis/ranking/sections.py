"""The section of a table of several machines that is for one machine, picked by its facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_CPU: Final = ("cpu", "cores")
"""Facts of a machine whose CPU has problems."""


class NoSectionError(ValueError):
    """No section is for a machine, or more than one; the message has the facts of each."""


def facts_on(machine: Mapping[str, Any], devices: Iterable[str]) -> dict[str, Any]:
    """The facts of a machine by which a section with problems on these devices is picked."""
    names = {each.get("device"): each.get("name") for each in machine.get("devices") or ()}
    found: dict[str, Any] = {}
    for device in devices:
        if device == "cpu":
            found |= {name: machine.get(name) for name in _CPU}
        else:
            found[device] = names.get(device)
    return found


def section_for(data: Mapping[str, Any], machine: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table of the section for a machine.

    machine  its facts, as a stored run or `list machine --json` has them

    Raises NoSectionError where no section or more than one is for it. Raises KeyError, TypeError or
    AttributeError for data that `dispatch_group` did not make.
    """
    found = [each for each in data["machines"] if _is_for(each["for"], machine)]
    if len(found) == 1:
        table: Mapping[str, Any] = found[0]["table"]
        return table
    sections = "; ".join(f"{each['kind']} ({_words(each['for'])})" for each in data["machines"])
    here = facts_on(machine, ("cpu", *_others(machine)))
    many = "no section is" if not found else f"{len(found)} sections are"
    raise NoSectionError(f"{many} for this machine ({_words(here)}); the sections: {sections}")


def _is_for(facts: Mapping[str, Any], machine: Mapping[str, Any]) -> bool:
    """Whether all facts of a section are known and those of the machine."""
    devices = ["cpu" if name in _CPU else name for name in facts]
    return bool(facts) and None not in facts.values() and facts == facts_on(machine, devices)


def _others(machine: Mapping[str, Any]) -> list[str]:
    """The kinds of devices beside the CPU."""
    every = (each.get("device") for each in machine.get("devices") or ())
    return [str(device) for device in every if device != "cpu"]


def _words(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
