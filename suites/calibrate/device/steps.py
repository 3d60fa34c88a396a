"""The steps of the selftest, in order, with their time limits."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step; the module of its name has the function `figures(target)`.

    That returns an iterator of figures, each as soon as it is measured; the last sums them up.

    about       what it tests
    expected_s  seconds that it took on an H200, rounded up
    limit_s     seconds after which its process is killed
    package     that has the module
    """

    name: str
    about: str
    expected_s: float
    limit_s: float
    package: str = "suites.calibrate.device"

    @property
    def module(self) -> str:
        """The module with its function `figures`."""
        return f"{self.package}.{self.name}"


STEPS: Final = {
    step.name: step
    for step in (
        Step(name="smoke", about="torch, device, spin, packages", expected_s=15, limit_s=60),
        Step(name="throttling", about="clocks by NVML", expected_s=7, limit_s=10),
        Step(name="memory", about="known allocation, cold start", expected_s=10, limit_s=25),
        Step(name="timing", about="events, graph, do_bench", expected_s=8, limit_s=25),
        Step(name="ceilings", about="bandwidth and products", expected_s=8, limit_s=20),
        Step(name="check", about="agreement of everything", expected_s=30, limit_s=70),
        Step(name="graphs", about="replays after other set-ups", expected_s=5, limit_s=20),
        Step(name="device_assert", about="a device error apart", expected_s=18, limit_s=30),
        Step(name="runs", about="forward and training", expected_s=41, limit_s=75),
        Step(name="large", about="more memory than there is", expected_s=34, limit_s=50),
        Step(name="cold", about="cold caches, forecast", expected_s=24, limit_s=35),
    )
}
"""About 200 s are expected, and 420 s are the most. A thermal warm-up takes up to 10 s of `runs`
and of `cold`. The first import on a machine reads torch's libraries from its disk, in the process
of `smoke`: 17 s on the machine of an H200."""


def chosen(words: Iterable[str]) -> list[Step]:
    """The steps that words such as `smoke,timing` name, in order; all for no word.

    Raises ValueError for an unknown step.
    """
    names = [name for word in words for name in word.split(",")]
    for name in names:
        if name not in STEPS:
            near = difflib.get_close_matches(name, STEPS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(
                f"--only {name!r} is no step; {hint}expected one of {', '.join(STEPS)}"
            )
    return [step for step in STEPS.values() if not names or step.name in names]
