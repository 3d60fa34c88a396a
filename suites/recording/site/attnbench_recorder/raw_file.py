"""The raw file of a process: JSON lines, each written to the file at once.

A line is one of
    {"process": pid, ...}   facts of the process, first
    {"call": id, ...}       a distinct call, before its first line with times
    [id, start, ns]         a call: when it began and how long it took; ns null: follows
    ["time", id, ns]        how long an earlier call took
    ["part", id, ns]        the time of attention alone, where a call computes more
    ["backward", id, ns]    a backward pass of a call; ns null: not timed
    ["step", number, start] the end of a step of the optimizer with that number
    ["profiled", number, start] the same of the step that was profiled
    {"profiled": ms, "operators": ...} its time, and its operators as `step_profile` lists them
    {"unprofiled": text}    why no step was profiled
    {"compiled": place}     a use of torch.compile
    {"fault": text}         a call that could not be described
Times are nanoseconds of `perf_counter_ns`, which the processes of a machine share.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from typing import Any


class RawFile:
    """A file in a folder, opened with the first line; a forked process opens its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptor = -1

    def forget(self) -> None:
        """Leave the file to the parent process: this is a forked one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def write(self, value: Any) -> None:
        """Append a line. Nothing is buffered: a killed process loses no line.

        A line is dropped where the folder is gone or full: the script goes on.
        """
        with suppress(OSError):
            if self._descriptor < 0:
                self._descriptor = self._open()
            os.write(self._descriptor, (json.dumps(value) + "\n").encode())

    def _open(self) -> int:
        descriptor, _ = tempfile.mkstemp(".jsonl", f"{os.getpid()}-", self._folder)
        first = {"process": os.getpid(), "argv": sys.argv, "python": sys.version.split()[0]}
        os.write(descriptor, (json.dumps(first) + "\n").encode())
        return descriptor
