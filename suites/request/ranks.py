"""Whether a machine has a place for every rank whose time is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from impls.interface import Problem


def expect_places(problems: Iterable[Problem], machine: Mapping[str, Any], cores: int) -> None:
    """Raise ValueError for more ranks than cores, or than NVIDIA devices.

    machine  as suites.measure.machine reads it
    cores    CPUs that the program may use
    """
    for problem in problems:
        if problem.ranks == 1:
            continue
        if problem.device == "cpu" and problem.ranks > cores:
            raise ValueError(
                f"ranks{problem.ranks} needs {problem.ranks} cores for 1 thread each, this machine "
                f"has {cores}; `check` takes more ranks than cores"
            )
        if problem.device == "cuda" and problem.ranks > (devices := cuda_devices(machine)):
            raise ValueError(
                f"ranks{problem.ranks} on cuda needs {problem.ranks} NVIDIA devices, this machine "
                f"has {devices}"
            )


def cuda_devices(machine: Mapping[str, Any]) -> int:
    """NVIDIA devices that the program sees."""
    used = sum(each["device"] == "cuda" for each in machine["devices"])
    return used + len(machine.get("other_devices") or ()) if used else 0
