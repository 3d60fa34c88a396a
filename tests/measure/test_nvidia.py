from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from suites.measure import nvidia
from suites.measure.nvidia import POLICIES, DeviceState, read, words
from suites.measure.nvidia_facts import NO_DRIVER, NO_PACKAGE, facts

UUID = "1a2b"


class NVMLError(Exception):
    """As pynvml's: the one type that all of NVML's errors share."""


def failing(*_: Any) -> int:
    raise NVMLError("Not Supported")


def fake(**instead: Any) -> SimpleNamespace:
    """The module pynvml, as far as it is used."""
    usual = {
        "NVMLError": NVMLError,
        "NVML_CLOCK_SM": 1,
        "NVML_CLOCK_MEM": 2,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByUUID": lambda uuid: ("by uuid", uuid),
        "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": lambda part: ("board of", part[1]),
        "nvmlDeviceGetClockInfo": lambda _, kind: {1: 1755, 2: 2619}[kind],
        "nvmlDeviceGetPowerUsage": lambda _: 612_500,
        "nvmlDeviceGetTemperatureV": lambda _, sensor: 61,
        "nvmlDeviceGetCurrentClocksEventReasons": lambda _: 0x24,
    }
    return SimpleNamespace(**{k: v for k, v in {**usual, **instead}.items() if v is not None})


def test_a_reading_has_clocks_power_temperature_and_reasons_in_words() -> None:
    reasons = ("power cap", "software thermal slowdown")
    assert read(UUID, nvml=fake()) == DeviceState(1755, 2619, 612.5, 61, reasons)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (None, None),
        (0, ()),
        (0x1, ("idle",)),
        (0x48, ("hardware slowdown", "hardware thermal slowdown")),
        (0x80 | 0x2, ("application clocks", "power brake")),
        (0x10, ("sync boost",)),
        (1 << 40, ("reason 0x10000000000",)),
    ],
)
def test_the_reasons_are_words(bits: int | None, expected: tuple[str, ...] | None) -> None:
    assert words(bits) == expected


@pytest.mark.parametrize("missing", [None, failing])
def test_older_drivers_and_packages_are_read_by_the_older_names(missing: Any) -> None:
    older = fake(
        nvmlDeviceGetTemperatureV=missing,
        nvmlDeviceGetCurrentClocksEventReasons=missing,
        nvmlDeviceGetTemperature=lambda _, sensor: 58,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda _: 0x8,
    )
    assert read(UUID, nvml=older) == DeviceState(1755, 2619, 612.5, 58, ("hardware slowdown",))


def test_a_figure_that_a_device_does_not_report_is_not_measured() -> None:
    silent = fake(
        nvmlDeviceGetPowerUsage=failing,
        nvmlDeviceGetTemperatureV=failing,
        nvmlDeviceGetCurrentClocksEventReasons=failing,
    )
    state = read(UUID, nvml=silent)
    assert state == DeviceState(1755, 2619, None, None, None)


@pytest.mark.parametrize(
    ("uuid", "asked"),
    [
        ("1a2b", ("by uuid", "GPU-1a2b")),
        ("GPU-1a2b", ("by uuid", "GPU-1a2b")),
        ("MIG-1a2b", ("board of", "MIG-1a2b")),
    ],
)
def test_the_device_is_selected_by_its_uuid(uuid: str, asked: tuple[str, str]) -> None:
    draw_mw: dict[tuple[str, str], int] = {
        ("by uuid", "GPU-1a2b"): 2000,
        ("board of", "MIG-1a2b"): 3000,
    }
    state = read(uuid, fake(nvmlDeviceGetPowerUsage=draw_mw.get))
    assert state is not None
    assert state.power_w == draw_mw[asked] / 1000


def test_a_part_of_a_board_is_found_by_the_uuid_that_torch_prints() -> None:
    def known(uuid: str) -> tuple[str, str]:
        if uuid != "MIG-1a2b":
            raise NVMLError("Not Found")
        return "by uuid", uuid

    state = read("1a2b", fake(nvmlDeviceGetHandleByUUID=known))
    assert state is not None
    assert state.power_w == 612.5


def values(**found: int | None) -> list[SimpleNamespace]:
    """Field values of a driver, in the order of POLICIES; None is not supported."""
    return [
        SimpleNamespace(nvmlReturn=0 if ns is not None else 3, value=SimpleNamespace(ullVal=ns))
        for ns in found.values()
    ]


COUNTERS: dict[str, Any] = {
    "NVML_SUCCESS": 0,
    **{f"NVML_FI_DEV_{name}": 74 + at for at, name in enumerate(POLICIES.values())},
    **{f"NVML_{name}": at for at, name in enumerate(POLICIES.values())},
}


def test_the_counters_of_reduced_clocks_are_read_in_milliseconds() -> None:
    found = values(power=5_000_000, thermal=0, sync=None, board=None, reliability=None)
    state = read(UUID, fake(**COUNTERS, nvmlDeviceGetFieldValues=lambda *_: found))
    assert state is not None
    assert state.throttled_ms == {"power cap": 5.0, "thermal": 0.0}


def test_an_older_driver_is_asked_policy_by_policy() -> None:
    def violation(_: object, policy: int) -> SimpleNamespace:
        if policy != 1:
            raise NVMLError("Not Supported")
        return SimpleNamespace(violationTime=7_000_000)

    for fields in (failing, None):
        older = fake(
            **COUNTERS,
            nvmlDeviceGetFieldValues=fields,
            nvmlDeviceGetViolationStatus=violation,
        )
        state = read(UUID, older)
        assert state is not None
        assert state.throttled_ms == {"thermal": 7.0}


def test_counters_that_no_driver_reports_are_not_zero() -> None:
    state = read(UUID, fake())
    assert state is not None
    assert state.throttled_ms is None


def test_facts_of_a_device_have_units_and_modes_in_words() -> None:
    found = facts(
        UUID,
        fake(
            nvmlSystemGetDriverVersion=lambda: "580.65.06",
            nvmlDeviceGetEnforcedPowerLimit=lambda _: 500_000,
            nvmlDeviceGetPowerManagementDefaultLimit=lambda _: 700_000,
            nvmlDeviceGetMaxClockInfo=lambda _, kind: {1: 1980}[kind],
            nvmlDeviceGetApplicationsClock=failing,
            nvmlDeviceGetPersistenceMode=lambda _: 1,
            nvmlDeviceGetComputeMode=lambda _: 3,
            nvmlDeviceGetEccMode=lambda _: [1, 0],
            nvmlDeviceGetMigMode=failing,
        ),
    )
    assert found == {
        "driver": "580.65.06",
        "power_limit_w": 500.0,
        "default_power_limit_w": 700.0,
        "max_sm_mhz": 1980,
        "application_sm_mhz": None,
        "persistence": "on",
        "compute_mode": "exclusive process",
        "ecc": "on",
        "mig": None,
    }


def test_facts_that_cannot_be_read_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert facts(UUID, fake(nvmlInit=failing)) == {"unread": NO_DRIVER}
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert facts(UUID) == {"unread": NO_PACKAGE}


@pytest.mark.parametrize("step", ["nvmlInit", "nvmlDeviceGetHandleByUUID"])
def test_without_a_driver_or_a_device_there_is_no_reading(step: str) -> None:
    assert read(UUID, nvml=fake(**{step: failing})) is None


def test_another_error_is_not_swallowed() -> None:
    def broken(_: object) -> int:
        raise TypeError("a fault of ours")

    with pytest.raises(TypeError, match="a fault of ours"):
        read(UUID, nvml=fake(nvmlDeviceGetPowerUsage=broken))


def test_without_the_package_there_is_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert read(UUID) is None


def test_the_package_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake())
    assert read(UUID) == read(UUID, nvml=fake())


def test_the_code_says_where_it_ran() -> None:
    assert "NVIDIA H200 on 2026-11-29" in " ".join((nvidia.__doc__ or "").split())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA device here")
def test_on_a_device_the_clocks_are_read() -> None:
    pytest.importorskip("pynvml")
    state = read(str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid))
    assert state is not None
    assert state.sm_mhz
    assert state.reasons is not None
