"""The state of the machine while rounds run: probe, counters of scheduler and GPU, page faults."""

from __future__ import annotations

import functools
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from suites.measure.devices import Device
from suites.measure.interference import (
    Probe,
    Snapshot,
    State,
    Waits,
    disturbance,
    snapshot,
    throttled_between,
    waited_between,
)
from suites.measure.rounds import Arm, Moment

LAUNCH_BOUND: Final = 0.5
"""An implementation is launch-bound when more than this share of its samples holds launch time."""


@dataclass(slots=True)
class Gauge:
    """The machine during some rounds: a probe before them, counters around them.

    The counters are those of the scheduler and of an NVIDIA device. All reading is outside of
    samples.

    on_host  whether the times of these rounds depend on the host; called after them
    waits    of samples, where several processes take turns; None: of the whole rounds
    in_ranks whether a group of processes computes the calls. Waits of this process then say nothing
             of them, and those of a rank are its own: its threads for transfers and for arithmetic
             share CPUs, and waited for 4 to 25 % of a call on two idle cores
    """

    probe: Probe
    device: Device
    on_host: Callable[[], bool] = lambda: True
    waits: Waits | None = None
    in_ranks: bool = False
    _probe_ms: float = 0.0
    _before: Snapshot | None = None
    _device_before: State | None = None

    def start(self) -> None:
        """Begin."""
        self._device_before = self.device.state()
        self._probe_ms = self.probe.read()
        self._before = snapshot()

    def stop(self) -> Moment:
        """End, and return what the machine did meanwhile."""
        after = snapshot()
        whole = waited_between(self._before or after, after)
        waited = whole if self.waits is None else self.waits.drain()
        if self.in_ranks:
            waited = replace(waited, run_delay_ms=None)
        usual_ms, on_host = self.probe.usual_ms, self.on_host()
        device = throttled_between(self._device_before, self.device.state())
        return Moment(
            probe_ms=self._probe_ms,
            run_delay_ms=waited.run_delay_ms,
            involuntary_switches=waited.involuntary_switches,
            disturbed=disturbance(waited, self._probe_ms, usual_ms, device, on_host=on_host),
            device=device,
        )


def depends_on_host(device: Device, arms: Sequence[Arm]) -> bool:
    """Whether threads of the host do the work, or a device mostly waited for their launches."""
    shares = [device.unhidden(arm.sampler) for arm in arms]
    return any(share is None or share > LAUNCH_BOUND for share in shares)


def page_faults() -> int:
    """Minor page faults of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@functools.cache
def usual_probe(device: str) -> Probe:
    """One for the whole session and a device: its usual time is learnt over all problems."""
    return Probe() if device == "cpu" else Probe(threads=1)
