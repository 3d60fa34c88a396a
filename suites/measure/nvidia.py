"""The state of an NVIDIA device: clocks, power, temperature, and what holds the clocks down.

It is read through nvidia-ml-py, which need not be installed. This has been tested on a stand-in for
it only; it never ran on a GPU.
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
"""NVML's clocks event reasons (once throttle reasons), by bit: nvml.h, nvmlClocksEventReasons."""
CHOSEN = ("idle", "application clocks", "display clocks")
"""Reasons that are no disturbance: nothing runs, or somebody has set the clocks."""
# Newer drivers and packages drop the second name of each pair, older ones lack the first.
_TEMPERATURE = ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")
_HELD_DOWN = (
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
)


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device at one moment; None is what it does not tell.

    sm_mhz         clock of the multiprocessors
    memory_mhz     clock of the memory
    power_w        draw of the whole board
    temperature_c  of the chip
    reasons        what holds the clocks down, in words; empty when nothing does
    """

    sm_mhz: int | None
    memory_mhz: int | None
    power_w: float | None
    temperature_c: int | None
    reasons: tuple[str, ...] | None

    @property
    def slowed_by(self) -> tuple[str, ...]:
        """The reasons that nobody chose: heat, power, a fault, other devices."""
        return tuple(reason for reason in self.reasons or () if reason not in CHOSEN)


def read(uuid: str = "", nvml: Any = None) -> DeviceState | None:
    """The device's state now; None without nvidia-ml-py, a driver or such a device.

    uuid  which device, as `torch.cuda.get_device_properties(0).uuid` prints it: NVML counts devices
          that CUDA_VISIBLE_DEVICES hides. Empty for the first.
    nvml  the module pynvml, or a stand-in for it
    """
    nvml = nvml or _pynvml()
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()  # and no shutdown, as in torch: it is read often
        device = _device(uuid, nvml)
    except nvml.NVMLError:
        return None
    return DeviceState(
        sm_mhz=_ask(nvml, ("nvmlDeviceGetClockInfo",), device, nvml.NVML_CLOCK_SM),
        memory_mhz=_ask(nvml, ("nvmlDeviceGetClockInfo",), device, nvml.NVML_CLOCK_MEM),
        power_w=_watts(_ask(nvml, ("nvmlDeviceGetPowerUsage",), device)),
        temperature_c=_ask(nvml, _TEMPERATURE, device, nvml.NVML_TEMPERATURE_GPU),
        reasons=words(_ask(nvml, _HELD_DOWN, device)),
    )


def words(bits: int | None) -> tuple[str, ...] | None:
    """What the bits of NVML's reasons mean; one that is not known here by its number."""
    if bits is None:
        return None
    each = (1 << place for place in range(bits.bit_length()))
    return tuple(REASONS.get(bit, f"reason {bit:#x}") for bit in each if bits & bit)


def _ask(nvml: Any, names: tuple[str, ...], *of: Any) -> int | None:
    """The answer of the first of these functions that has one."""
    for name in names:
        if function := getattr(nvml, name, None):
            try:
                return int(function(*of))
            except nvml.NVMLError:
                continue  # not supported on this device, or not known to this driver
    return None


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _device(uuid: str, nvml: Any) -> Any:
    if not uuid:
        return nvml.nvmlDeviceGetHandleByIndex(0)
    full = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    return nvml.nvmlDeviceGetHandleByUUID(full)


def _pynvml() -> Any:
    try:
        return import_module("pynvml")
    except ModuleNotFoundError:
        return None
