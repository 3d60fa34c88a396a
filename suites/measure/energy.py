"""Energy of calls: RAPL's counters of processor packages, and NVML's counter of an NVIDIA board.

Both counters include everything that runs on the package or board meanwhile, of all programs, and
the power that it needs when idle. Energies of a busy machine are too large.

RAPL's counter advances once in about 1 ms (Intel 64 and IA-32 Architectures Software Developer's
Manual, volume 3, "RAPL Interfaces"), so a shorter sample would get the energy of what ran before.
NVML's counter advances every 20 to 100 ms (manual of PETSc, PetscLogGpuEnergyMeter), so it is read
around seconds of calls only.

This file never read a counter of real hardware, only stand-ins for both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from suites.measure import nvidia
from suites.measure.rounds import Arm

POWERCAP: Final = Path("/sys/class/powercap")
LEAST_SAMPLE_MS: Final = 20.0
"""Shortest sample, ms, whose energy is read: RAPL is 1 ms late at each of its ends, 5 % of it."""
PACKAGE: Final = "package"
"""Start of the names of RAPL's domains that are packages. Others are parts of them."""
NO_PACKAGES: Final = (
    "RAPL: not readable here: {root} has no package of a processor, as in virtual machines and "
    "on other systems than Linux"
)
NO_ACCESS: Final = (
    "RAPL: not readable here: {file}: {error}; permit it with: "
    "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
)
READ: Final = "RAPL: read around samples of {least:g} ms and longer, {packages}"
NO_NVML: Final = 'NVML: not readable here: python -m pip install "attnbench[nvidia]"'
NO_BOARD: Final = "NVML: not readable here: the driver reports no total energy of this device"
BOARD: Final = "NVML: read with --sustained, of the whole board"


class Meter(Protocol):
    """Measures the energy between `start` and `stop`."""

    def start(self) -> None:
        """Begin now."""

    def stop(self) -> float | None:
        """Millijoules since `start`; None when a counter could not be read."""


@dataclass(frozen=True, slots=True)
class Package:
    """A processor package.

    file      has its counter, in microjoules
    range_uj  the counter's largest value; then it starts again at zero
    """

    file: Path
    range_uj: int

    def read_uj(self) -> int:
        """The counter now. Raises OSError without access."""
        return int(self.file.read_text())

    def since_uj(self, before_uj: int, now_uj: int) -> int:
        """Microjoules between two readings, across one restart of the counter at most."""
        grown = now_uj - before_uj
        return grown if grown >= 0 else grown + self.range_uj


class RaplMeter:
    """Energy of processor packages, summed."""

    def __init__(self, packages: tuple[Package, ...]) -> None:
        self._packages = packages
        self._before_uj: list[int] | None = None

    def start(self) -> None:
        """Begin now."""
        self._before_uj = self._read_uj()

    def stop(self) -> float | None:
        """Millijoules since `start`."""
        before_uj, now_uj = self._before_uj, self._read_uj()
        if before_uj is None or now_uj is None:
            return None
        each = zip(self._packages, before_uj, now_uj, strict=True)
        return sum(package.since_uj(before, now) for package, before, now in each) / 1e3

    def _read_uj(self) -> list[int] | None:
        try:
            return [each.read_uj() for each in self._packages]
        except OSError:
            return None


class BoardMeter:
    """Energy of an NVIDIA board since Volta; of a part of a board (MIG) that of the whole board.

    nvml, device  as `nvidia.handle` returns them
    """

    def __init__(self, nvml: Any, device: Any) -> None:
        self._nvml, self._device = nvml, device
        self._before_mj: int | None = None

    def start(self) -> None:
        """Begin now."""
        self._before_mj = self._read_mj()

    def stop(self) -> float | None:
        """Millijoules since `start`."""
        before_mj, now_mj = self._before_mj, self._read_mj()
        return None if before_mj is None or now_mj is None else float(now_mj - before_mj)

    def _read_mj(self) -> int | None:
        return nvidia.number(self._nvml, ("nvmlDeviceGetTotalEnergyConsumption",), self._device)


@functools.cache
def packages(root: Path = POWERCAP) -> tuple[tuple[Package, ...], str]:
    """The packages whose energy can be read, and one sentence about it; none: why not."""
    found = [each for each in sorted(root.glob("intel-rapl:*")) if _is_package(each)]
    if not found:
        return (), NO_PACKAGES.format(root=root)
    try:
        made = tuple(map(_package, found))
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        file = getattr(error, "filename", None) or root
        return (), NO_ACCESS.format(file=file, error=cause)
    names = ", ".join((each / "name").read_text().strip() for each in found)
    return made, READ.format(least=LEAST_SAMPLE_MS, packages=names)


def _is_package(domain: Path) -> bool:
    try:
        return (domain / "name").read_text().startswith(PACKAGE)
    except OSError:
        return False


def _package(domain: Path) -> Package:
    """A package whose counter was read once. Raises OSError or ValueError otherwise."""
    made = Package(domain / "energy_uj", int((domain / "max_energy_range_uj").read_text()))
    made.read_uj()
    return made


def rapl() -> RaplMeter | None:
    """A meter of this machine's packages; None where they cannot be read."""
    found, _ = packages()
    return RaplMeter(found) if found else None


def board(uuid: str, nvml: Any = None) -> BoardMeter | None:
    """A meter of an NVIDIA board; None where the driver reports no energy of it.

    uuid  of the device, as torch's device properties print it
    nvml  the module pynvml or a stand-in
    """
    found = nvidia.handle(uuid, nvml)
    if found is None:
        return None
    meter = BoardMeter(*found)
    meter.start()
    return meter if meter.stop() is not None else None


def sampling(meter: Meter) -> Callable[[Arm], AbstractContextManager[None]]:
    """The context of a sample that adds its energy to the arm."""

    @contextmanager
    def metered(arm: Arm) -> Iterator[None]:
        meter.start()
        yield
        if (taken_mj := meter.stop()) is not None:
            arm.energy_mj.append(taken_mj)

    return metered


def facts(uuid: str = "") -> str:
    """One line about the energy of calls on this machine: read, or why not.

    uuid  of the NVIDIA device in use; "": none
    """
    of_cpu = packages()[1]
    if not uuid:
        return of_cpu
    if board(uuid) is not None:
        return f"{of_cpu}; {BOARD}"
    return f"{of_cpu}; {NO_NVML if nvidia.pynvml() is None else NO_BOARD}"
