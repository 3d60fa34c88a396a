"""The state of an NVIDIA device: clocks, power, temperature and throttle reasons.

It is read through nvidia-ml-py, an optional package. This has been tested on a stand-in for that
package only; it never ran on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

REASONS = {
    0x001: "idle",
    0x002: "application clocks",
    0x004: "power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "software thermal slowdown",
    0x040: "hardware thermal slowdown",
    0x080: "power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability",
}
"""NVML's clocks event reasons (formerly throttle reasons) by bit; source: nvml.h."""
# New and old name of each function: newer packages lack the second, older ones the first.
_TEMPERATURE = ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")
_REASONS = (
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
)


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device at one moment; None is a figure that the driver does not report.

    sm_mhz         clock of the multiprocessors
    memory_mhz     clock of the memory
    power_w        power of the whole board
    temperature_c  of the chip
    reasons        throttle reasons; empty for none
    """

    sm_mhz: int | None
    memory_mhz: int | None
    power_w: float | None
    temperature_c: int | None
    reasons: tuple[str, ...] | None


def read(uuid: str, nvml: Any = None) -> DeviceState | None:
    """The state of a device now; None without nvidia-ml-py, a driver or such a device.

    uuid  of the device, as torch's device properties print it. An index would not do: NVML also
          counts devices that CUDA_VISIBLE_DEVICES hides.
    nvml  the module pynvml or a stand-in
    """
    nvml = nvml or _pynvml()
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()  # no shutdown, as in torch: it is read often
        full = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
        device = nvml.nvmlDeviceGetHandleByUUID(full)
    except nvml.NVMLError:
        return None
    return DeviceState(
        sm_mhz=_call(nvml, ("nvmlDeviceGetClockInfo",), device, nvml.NVML_CLOCK_SM),
        memory_mhz=_call(nvml, ("nvmlDeviceGetClockInfo",), device, nvml.NVML_CLOCK_MEM),
        power_w=_watts(_call(nvml, ("nvmlDeviceGetPowerUsage",), device)),
        temperature_c=_call(nvml, _TEMPERATURE, device, nvml.NVML_TEMPERATURE_GPU),
        reasons=words(_call(nvml, _REASONS, device)),
    )


def words(bits: int | None) -> tuple[str, ...] | None:
    """The names of the reasons whose bits are set; an unknown one is named by its number."""
    if bits is None:
        return None
    each = (1 << place for place in range(bits.bit_length()))
    return tuple(REASONS.get(bit, f"reason {bit:#x}") for bit in each if bits & bit)


def _call(nvml: Any, names: tuple[str, ...], *arguments: Any) -> int | None:
    """The result of the first of these functions that is supported; None for none."""
    for name in names:
        if function := getattr(nvml, name, None):
            try:
                return int(function(*arguments))
            except nvml.NVMLError:
                continue  # not supported by this device or driver
    return None


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _pynvml() -> Any:
    try:
        return import_module("pynvml")
    except ModuleNotFoundError:
        return None
