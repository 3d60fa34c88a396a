"""What is recorded of an NVIDIA device, as names and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

NOT_REPORTED: Final = "not reported"
_MODES: Final = (
    ("persistence", "persistence mode"),
    ("compute_mode", "compute mode"),
    ("ecc", "ECC"),
    ("mig", "MIG"),
)

Fact = tuple[str, str]
"""A name and a value."""


def nvidia_facts(machine: Mapping[str, Any]) -> Iterator[Fact]:
    """The device that is used, what its driver reports, and the devices that are not used."""
    devices = machine.get("devices") or ()
    used = next((each for each in devices if each.get("device") == "cuda"), None)
    if used is None:
        return
    if "uuid" in used:
        yield "NVIDIA device", f"cuda:{used['chosen']}, UUID {used['uuid']}"
        yield "multiprocessors", str(used["multiprocessors"])
        yield "L2 cache", f"{used['l2_bytes'] / 2**20:.3g} MiB"
    for each in machine.get("other_devices") or ():
        yield f"cuda:{each['index']}, not used", f"{each['name']}, UUID {each['uuid']}"
    yield from _of_driver(machine.get("nvidia") or {})


def unread(machine: Mapping[str, Any]) -> str:
    """Why clocks and throttling were not read; empty where they were, and without a device."""
    return str((machine.get("nvidia") or {}).get("unread", ""))


def _of_driver(found: Mapping[str, Any]) -> Iterator[Fact]:
    if "unread" in found:
        yield "NVIDIA driver", str(found["unread"])
    if "driver" not in found:
        return
    yield "NVIDIA driver", _text(found["driver"])
    limit, usual = (_text(found[f"{kind}power_limit_w"], "W") for kind in ("", "default_"))
    yield "power limit", f"{limit}; as delivered {usual}"
    most, program = (_text(found[f"{kind}_sm_mhz"], "MHz") for kind in ("max", "application"))
    yield "multiprocessor clock", f"at most {most}; set for programs: {program}"
    for name, title in _MODES:
        yield title, _text(found[name])


def _text(value: Any, unit: str = "") -> str:
    if value is None:
        return NOT_REPORTED
    return f"{value:g} {unit}".strip() if isinstance(value, float | int) else str(value)
