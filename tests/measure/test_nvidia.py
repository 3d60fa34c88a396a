from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from suites.measure import nvidia
from suites.measure.nvidia import DeviceState, read, words

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
        ("MIG-1a2b", ("by uuid", "MIG-1a2b")),
    ],
)
def test_the_device_is_selected_by_its_uuid(uuid: str, asked: tuple[str, str]) -> None:
    draw_mw: dict[tuple[str, str], int] = {
        ("by uuid", "GPU-1a2b"): 2000,
        ("by uuid", "MIG-1a2b"): 3000,
    }
    state = read(uuid, fake(nvmlDeviceGetPowerUsage=draw_mw.get))
    assert state is not None
    assert state.power_w == draw_mw[asked] / 1000


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


def test_the_code_says_plainly_that_it_never_ran_on_a_gpu() -> None:
    assert "it never ran on a GPU" in " ".join((nvidia.__doc__ or "").split())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA device here")
def test_on_a_device_the_clocks_are_read() -> None:
    pytest.importorskip("pynvml")
    state = read(str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid))
    assert state is not None
    assert state.sm_mhz
    assert state.reasons is not None
