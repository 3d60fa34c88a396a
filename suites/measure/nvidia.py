"""The state of an NVIDIA device: clocks, power, temperature, and what reduced its clocks.

It is read through nvidia-ml-py, an optional package. It ran on
an NVIDIA H200 on 2026-11-29 (docs/gpu.md); a part of a board (MIG) was never read.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

PREFIXES: Final = ("GPU-", "MIG-")
"""Of UUIDs in NVML: of a board, and of a part of one. torch prints UUIDs without."""
POLICIES: Final = {
    "power cap": "PERF_POLICY_POWER",
    "thermal": "PERF_POLICY_THERMAL",
    "sync boost": "PERF_POLICY_SYNC_BOOST",
    "board limit": "PERF_POLICY_BOARD_LIMIT",
    "reliability": "PERF_POLICY_RELIABILITY",
}
"""NVML's counters of the time that a policy reduced the clocks; source: nvml.h. The newer counters
CLOCKS_EVENT_REASON_* are left out: drivers disagree about their numbers (251 or 269 for one)."""
REASONS: Final = {
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
    throttled_ms   time since the driver was loaded that each policy reduced the clocks. Drivers
                   advance it in steps of 100 ms
    """

    sm_mhz: int | None
    memory_mhz: int | None
    power_w: float | None
    temperature_c: int | None
    reasons: tuple[str, ...] | None
    throttled_ms: dict[str, float] | None = None


def read(uuid: str, nvml: Any = None) -> DeviceState | None:
    """The state of a device now; None without nvidia-ml-py, a driver or such a device.

    uuid  of the device, as torch's device properties print it. An index would not do: NVML also
          counts devices that CUDA_VISIBLE_DEVICES hides.
    nvml  the module pynvml or a stand-in
    """
    found = handle(uuid, nvml)
    if found is None:
        return None
    nvml, device = found
    return DeviceState(
        sm_mhz=number(nvml, ("nvmlDeviceGetClockInfo",), device, nvml.NVML_CLOCK_SM),
        memory_mhz=number(nvml, ("nvmlDeviceGetClockInfo",), device, nvml.NVML_CLOCK_MEM),
        power_w=watts(number(nvml, ("nvmlDeviceGetPowerUsage",), device)),
        temperature_c=number(nvml, _TEMPERATURE, device, nvml.NVML_TEMPERATURE_GPU),
        reasons=words(number(nvml, _REASONS, device)),
        throttled_ms=_throttled_ms(nvml, device),
    )


def handle(uuid: str, nvml: Any = None) -> tuple[Any, Any] | None:
    """The module pynvml and its handle of a device; of a part of a board (MIG) that of the board.

    None without nvidia-ml-py, a driver or such a device. A part has no clocks or power of its own.
    """
    nvml = nvml or pynvml()
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()  # no shutdown, as in torch: it is read often
    except nvml.NVMLError:
        return None
    for prefix in ("",) if uuid.startswith(PREFIXES) else PREFIXES:
        with suppress(nvml.NVMLError):
            return nvml, _board(nvml, prefix + uuid)
    return None


def _board(nvml: Any, uuid: str) -> Any:
    device = nvml.nvmlDeviceGetHandleByUUID(uuid)
    if not uuid.startswith("MIG-"):
        return device
    return nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device)


def words(bits: int | None) -> tuple[str, ...] | None:
    """The names of the reasons whose bits are set; an unknown one is named by its number."""
    if bits is None:
        return None
    each = (1 << place for place in range(bits.bit_length()))
    return tuple(REASONS.get(bit, f"reason {bit:#x}") for bit in each if bits & bit)


def number(nvml: Any, names: tuple[str, ...], *arguments: Any) -> int | None:
    """The result of the first of these functions that is supported; None for none."""
    for name in names:
        if function := getattr(nvml, name, None):
            try:
                return int(function(*arguments))
            except nvml.NVMLError:
                continue  # not supported by this device or driver
    return None


def _throttled_ms(nvml: Any, device: Any) -> dict[str, float] | None:
    """Milliseconds by policy; a policy that the driver does not report is left out, None: all."""
    found = _field_values(nvml, device)
    for policy, name in POLICIES.items():
        if policy not in found:
            try:
                status = nvml.nvmlDeviceGetViolationStatus(device, getattr(nvml, f"NVML_{name}"))
            except (nvml.NVMLError, AttributeError):
                continue
            found[policy] = status.violationTime / 1e6
    return found or None


def _field_values(nvml: Any, device: Any) -> dict[str, float]:
    """The same from the one call that newer drivers have; empty without it."""
    fields = {p: getattr(nvml, f"NVML_FI_DEV_{name}", None) for p, name in POLICIES.items()}
    fields = {policy: field for policy, field in fields.items() if field is not None}
    try:
        values = nvml.nvmlDeviceGetFieldValues(device, list(fields.values()))
    except (nvml.NVMLError, AttributeError):
        return {}
    return {
        policy: value.value.ullVal / 1e6
        for policy, value in zip(fields, values, strict=True)
        if value.nvmlReturn == nvml.NVML_SUCCESS
    }


def watts(milliwatts: int | None) -> float | None:
    """Watts; None stays None."""
    return None if milliwatts is None else milliwatts / 1000


def pynvml() -> Any:
    """The module of nvidia-ml-py; None where it is not installed."""
    try:
        return import_module("pynvml")
    except ModuleNotFoundError:
        return None
