"""The state of the machine while rounds run: a probe, the scheduler's counters, page faults."""

from __future__ import annotations

import functools
import resource
from dataclasses import dataclass

from suites.measure.devices import Device
from suites.measure.interference import Probe, Snapshot, disturbance, snapshot, waited_between
from suites.measure.rounds import Moment


@dataclass(slots=True)
class Gauge:
    """The machine during some rounds: a probe before them, the scheduler's counters around them."""

    probe: Probe
    device: Device
    _probe_ms: float = 0.0
    _before: Snapshot | None = None

    def start(self) -> None:
        """Begin."""
        self._probe_ms = self.probe.read()
        self._before = snapshot()

    def stop(self) -> Moment:
        """End, and return what the machine did meanwhile."""
        after = snapshot()
        waited = waited_between(self._before or after, after)
        return Moment(
            probe_ms=self._probe_ms,
            run_delay_ms=waited.run_delay_ms,
            involuntary_switches=waited.involuntary_switches,
            disturbed=disturbance(waited, self._probe_ms, self.probe.usual_ms),
            device=self.device.state(),
        )


def page_faults() -> int:
    """Minor page faults of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@functools.cache
def usual_probe() -> Probe:
    """One for the whole session: its usual duration is learnt over all problems."""
    return Probe()
