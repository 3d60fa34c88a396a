"""A device without instruments is refused; it is never measured with those of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from suites.measure import ceilings, machine, memory
from suites.measure.cache import Flush
from suites.measure.devices import Cuda, Host, device
from suites.measure.timing import HostClock, clock_for

INSTRUMENTS: dict[str, Callable[[str], object]] = {
    "clock": clock_for,
    "memory": lambda name: memory.measure(lambda: (torch.ones(1),), name),
    "samples": lambda name: device(name, cold=False),
    "flush": lambda name: Flush(name, None),
    "ceilings": lambda name: ceilings.measure(name, ["float32"]),
}


@pytest.mark.parametrize("name", ["mps", "cuda:1", "gpu", ""])
@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_a_device_without_instruments_is_refused_in_words(instrument: str, name: str) -> None:
    with pytest.raises(
        ValueError, match=f"device '{name}' has no clock.*expected one of cpu, cuda"
    ):
        INSTRUMENTS[instrument](name)


def test_a_cpu_has_instruments() -> None:
    assert isinstance(clock_for("cpu"), HostClock)
    assert isinstance(device("cpu", cold=False), Host)


class SeveralGpus:
    """Stands in for torch.cuda with two devices, of which the second is the current one."""

    def __init__(self) -> None:
        self.all = [
            SimpleNamespace(
                name=f"GPU {n}",
                L2_cache_size=n + 1,
                multi_processor_count=n,
                uuid=n,
                major=9,
                minor=n,
                total_memory=n,
            )
            for n in range(2)
        ]

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 1

    def get_device_properties(self, index: int) -> SimpleNamespace:
        return self.all[index]

    def Event(self, *, enable_timing: bool) -> None:  # noqa: N802 - torch's own name
        assert enable_timing


def test_figures_of_a_gpu_are_those_of_the_current_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda: Any = SeveralGpus()
    monkeypatch.setattr(torch, "cuda", cuda)
    assert Cuda(cuda, cold=False)._properties is cuda.all[1]
    assert ceilings._last_level_bytes("cuda", torch) == 2
    assert machine.devices()[0]["name"] == "GPU 1"
    assert machine.devices()[0]["capability"] == [9, 1]
