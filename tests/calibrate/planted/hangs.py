"""Starts a process in a group of its own, as a session is, and both hang."""

import subprocess
import sys
import time
from collections.abc import Iterator

from suites.calibrate.device.figure import Figure, Target


def figures(target: Target) -> Iterator[Figure]:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    other = subprocess.Popen(command, start_new_session=True)
    yield Figure(name="started", value=other.pid)
    time.sleep(600)
