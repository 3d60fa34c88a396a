"""Rounds that depend on the host: those of a CPU, and those that wait for launches."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from suites.engine import gauge as gauge_module
from suites.engine.gauge import LAUNCH_BOUND, Gauge, depends_on_host, usual_probe
from suites.measure.interference import Probe, Snapshot
from suites.measure.rounds import Arm
from suites.measure.timing import HostClock, HotSampler


class FakeDevice:
    """Samples with these shares of launch time, one for each sampler in turn."""

    def __init__(self, *shares: float | None) -> None:
        self._shares = iter(shares)

    def unhidden(self, _: object) -> float | None:
        return next(self._shares)

    def state(self) -> None:
        return None


def arms(count: int) -> list[Arm]:
    return [Arm(str(n), [lambda: None], 1.0, HotSampler(HostClock())) for n in range(count)]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((None, None), True),
        ((0.0, LAUNCH_BOUND), False),
        ((0.0, LAUNCH_BOUND + 0.01), True),
        ((1.0, 0.0), True),
    ],
)
def test_a_gpu_that_mostly_waits_for_launches_depends_on_the_host(
    shares: tuple[float | None, ...], *, expected: bool
) -> None:
    device: Any = FakeDevice(*shares)
    assert depends_on_host(device, arms(len(shares))) == expected


class SlowProbe(Probe):
    """Its readings are usually 1 ms; this one is 2 ms."""

    @property
    def usual_ms(self) -> float:
        return 1.0

    def read(self) -> float:
        return 2.0


@pytest.mark.parametrize("on_host", [True, False])
def test_a_slow_host_disturbs_only_rounds_that_depend_on_it(*, on_host: bool) -> None:
    device: Any = FakeDevice()
    gauge = Gauge(SlowProbe(), device, lambda: on_host)
    gauge.start()
    assert ("the probe took 2.00 ms" in gauge.stop().disturbed) == on_host


@pytest.mark.parametrize("in_ranks", [True, False])
def test_waits_of_a_session_whose_ranks_compute_do_not_disturb_a_round(
    monkeypatch: pytest.MonkeyPatch, *, in_ranks: bool
) -> None:
    waited = iter((Snapshot(0.0, 0, 0.0), Snapshot(90.0, 4, 100.0)))
    monkeypatch.setattr(gauge_module, "snapshot", lambda: next(waited))
    device: Any = FakeDevice()
    gauge = Gauge(Probe(), device, in_ranks=in_ranks)
    gauge.start()
    found = gauge.stop()
    assert found.involuntary_switches == 4
    assert (found.run_delay_ms is None) == in_ranks
    assert ("waited 90.0 ms for a CPU" not in found.disturbed) == in_ranks


@pytest.mark.parametrize(("device", "expected"), [("cpu", 3), ("cuda", 1)])
def test_the_probe_of_a_gpu_leaves_the_other_threads_of_openmp_asleep(
    monkeypatch: pytest.MonkeyPatch, device: str, expected: int
) -> None:
    seen: list[int] = []
    product = torch.mm

    def counted(*args: Any, **kwargs: Any) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return product(*args, **kwargs)

    usual_probe.cache_clear()
    monkeypatch.setattr(torch, "mm", counted)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        usual_probe(device).read()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
        usual_probe.cache_clear()
    assert set(seen) == {expected}
