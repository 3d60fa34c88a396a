"""Facts of an NVIDIA device that the driver reports: its version, limits and modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from suites.measure.nvidia import handle, number, pynvml, watts

NO_PACKAGE: Final = (
    'clocks, power and throttling were not read: python -m pip install "attnbench[nvidia]"'
)
NO_DRIVER: Final = (
    "clocks, power and throttling were not read: NVML, the library of the driver, does not report "
    "this device"
)
COMPUTE_MODES: Final = ("default", "exclusive thread", "prohibited", "exclusive process")
"""By the number of the mode; source: nvml.h."""

Facts = dict[str, str | float | None]
"""None is a fact that the driver does not report."""


def facts(uuid: str, nvml: Any = None) -> Facts:
    """The driver's facts of a device; `unread` alone, with the reason, where it reports none.

    power_limit_w          the power cap in force
    default_power_limit_w  that of the board as delivered
    max_sm_mhz             the highest clock of the multiprocessors
    application_sm_mhz     the clock that is set for programs; None as well for none
    """
    found = handle(uuid, nvml)
    if found is None:
        return {"unread": NO_PACKAGE if nvml is None and pynvml() is None else NO_DRIVER}
    nvml, device = found

    def read(*names: str, more: tuple[Any, ...] = ()) -> int | None:
        return number(nvml, names, device, *more)

    return {
        "driver": _driver(nvml),
        "power_limit_w": watts(read("nvmlDeviceGetEnforcedPowerLimit")),
        "default_power_limit_w": watts(read("nvmlDeviceGetPowerManagementDefaultLimit")),
        "max_sm_mhz": read("nvmlDeviceGetMaxClockInfo", more=(nvml.NVML_CLOCK_SM,)),
        "application_sm_mhz": read("nvmlDeviceGetApplicationsClock", more=(nvml.NVML_CLOCK_SM,)),
        "persistence": _on_off(read("nvmlDeviceGetPersistenceMode")),
        "compute_mode": _mode(read("nvmlDeviceGetComputeMode")),
        "ecc": _on_off(_current(nvml, "nvmlDeviceGetEccMode", device)),
        "mig": _on_off(_current(nvml, "nvmlDeviceGetMigMode", device)),
    }


def _driver(nvml: Any) -> str | None:
    try:
        version = nvml.nvmlSystemGetDriverVersion()
    except nvml.NVMLError:
        return None
    return version.decode() if isinstance(version, bytes) else str(version)


def _current(nvml: Any, name: str, device: Any) -> int | None:
    """The first of the two values, current and pending, of a mode."""
    function: Callable[[Any], Any] | None = getattr(nvml, name, None)
    try:
        return None if function is None else int(function(device)[0])
    except nvml.NVMLError:
        return None


def _on_off(value: int | None) -> str | None:
    return None if value is None else ("on" if value else "off")


def _mode(value: int | None) -> str | None:
    if value is None:
        return None
    return COMPUTE_MODES[value] if value < len(COMPUTE_MODES) else f"mode {value}"
