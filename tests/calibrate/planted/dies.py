import os
import signal
from collections.abc import Iterator

from suites.calibrate.device.figure import Figure, Target


def figures(target: Target) -> Iterator[Figure]:
    yield Figure(name="before", value="seen")
    os.kill(os.getpid(), signal.SIGKILL)
