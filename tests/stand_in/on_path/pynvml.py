"""A stand-in for nvidia-ml-py: its state is the JSON of ATTNBENCH_STAND_IN_NVML.

Functions and constants have the names, arguments and units of the package. Without the variable
the import fails as without the package. Keys of the state, all optional:

uuids         of the devices, with their prefix; any UUID is known where the list is empty
reasons       bits of the clocks event reasons
throttled_ns  nanoseconds by perf policy that each call of nvmlInit adds; a policy that is missing
              is not supported
energy_mj     that each reading of the total energy adds
unsupported   names of functions that raise NVMLError_NotSupported
power_limit_mw, default_power_limit_mw, persistence, compute_mode, ecc, mig, driver
"""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

if "ATTNBENCH_STAND_IN_NVML" not in os.environ:
    raise ModuleNotFoundError("No module named 'pynvml'", name="pynvml")
STATE: dict[str, Any] = json.loads(os.environ["ATTNBENCH_STAND_IN_NVML"])

NVML_SUCCESS = 0
NVML_ERROR_NOT_SUPPORTED = 3
NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2
NVML_TEMPERATURE_GPU = 0
NVML_PERF_POLICY_POWER = 0
NVML_PERF_POLICY_THERMAL = 1
NVML_PERF_POLICY_SYNC_BOOST = 2
NVML_PERF_POLICY_BOARD_LIMIT = 3
NVML_PERF_POLICY_RELIABILITY = 5
NVML_FI_DEV_PERF_POLICY_POWER = 74
NVML_FI_DEV_PERF_POLICY_THERMAL = 75
NVML_FI_DEV_PERF_POLICY_SYNC_BOOST = 76
NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT = 77
NVML_FI_DEV_PERF_POLICY_RELIABILITY = 79
_read = {"readings": 0, "energies": 0}


class NVMLError(Exception):
    """The type that all errors of NVML share."""


def _supported(name: str) -> None:
    if name in STATE.get("unsupported", ()):
        raise NVMLError(f"{name}: Not Supported")


def nvmlInit() -> None:
    _supported("nvmlInit")
    _read["readings"] += 1


def nvmlSystemGetDriverVersion() -> str:
    _supported("nvmlSystemGetDriverVersion")
    return str(STATE.get("driver", "580.65.06"))


def nvmlDeviceGetHandleByUUID(uuid: str) -> str:
    if STATE.get("uuids", [uuid]).count(uuid) == 0:
        raise NVMLError("Not Found")
    return uuid


def nvmlDeviceIsMigDeviceHandle(device: str) -> int:
    return int(device.startswith("MIG-"))


def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device: str) -> str:
    return "the board of " + device


def _plain(name: str, key: str, usual: Any) -> Any:
    def read(device: str, *_: Any) -> Any:
        if device.startswith("MIG-"):
            raise NVMLError(f"{name}: Not Supported")  # as for a part of a board
        _supported(name)
        return STATE.get(key, usual)

    return read


nvmlDeviceGetClockInfo = _plain("nvmlDeviceGetClockInfo", "mhz", 1755)
nvmlDeviceGetPowerUsage = _plain("nvmlDeviceGetPowerUsage", "power_mw", 612_500)
nvmlDeviceGetTemperature = _plain("nvmlDeviceGetTemperature", "temperature_c", 61)
nvmlDeviceGetCurrentClocksEventReasons = _plain(
    "nvmlDeviceGetCurrentClocksEventReasons", "reasons", 0
)
nvmlDeviceGetEnforcedPowerLimit = _plain(
    "nvmlDeviceGetEnforcedPowerLimit", "power_limit_mw", 500_000
)
nvmlDeviceGetPowerManagementDefaultLimit = _plain(
    "nvmlDeviceGetPowerManagementDefaultLimit", "default_power_limit_mw", 700_000
)
nvmlDeviceGetPersistenceMode = _plain("nvmlDeviceGetPersistenceMode", "persistence", 1)
nvmlDeviceGetComputeMode = _plain("nvmlDeviceGetComputeMode", "compute_mode", 0)
nvmlDeviceGetEccMode = _plain("nvmlDeviceGetEccMode", "ecc", [1, 1])
nvmlDeviceGetMigMode = _plain("nvmlDeviceGetMigMode", "mig", [0, 0])
nvmlDeviceGetMaxClockInfo = _plain("nvmlDeviceGetMaxClockInfo", "max_mhz", 1980)


def nvmlDeviceGetTotalEnergyConsumption(device: str) -> int:
    _supported("nvmlDeviceGetTotalEnergyConsumption")
    _read["energies"] += 1
    return int(STATE.get("energy_mj", 1000)) * _read["energies"]


def nvmlDeviceGetFieldValues(device: str, fields: list[int]) -> list[SimpleNamespace]:
    _supported("nvmlDeviceGetFieldValues")
    added = STATE.get("throttled_ns", {})
    return [
        _value(field, added.get(str(field - NVML_FI_DEV_PERF_POLICY_POWER))) for field in fields
    ]


def _value(field: int, added_ns: int | None) -> SimpleNamespace:
    known = added_ns is not None
    total = (added_ns or 0) * _read["readings"]
    code = NVML_SUCCESS if known else NVML_ERROR_NOT_SUPPORTED
    return SimpleNamespace(fieldId=field, nvmlReturn=code, value=SimpleNamespace(ullVal=total))


def nvmlDeviceGetViolationStatus(device: str, policy: int) -> SimpleNamespace:
    _supported("nvmlDeviceGetViolationStatus")
    added = STATE.get("throttled_ns", {})
    if str(policy) not in added:
        raise NVMLError("Not Supported")
    return SimpleNamespace(referenceTime=0, violationTime=added[str(policy)] * _read["readings"])
