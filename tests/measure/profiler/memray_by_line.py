"""A program: bytes at memray's peak of one call of naive, in all and by line of impls/naive.py.

Run as `python -m tests.measure.profiler.memray_by_line FILE`; FILE is what memray writes. It
writes JSON with the peaks that this program measures to standard output.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

import memray
import torch

import impls
from impls.interface import Implementation, Problem
from suites.measure import memory
from suites.measure.inputs import call_of, make_inputs
from suites.measure.preparing import Preparation
from suites.measure.profiler.profiling import profiled
from suites.measure.timing import HostClock

FILE = "impls/naive.py"
PROBLEM = Problem.parse("b1 h4 t512 d64")


def main(file: str) -> None:
    """Write peaks of the same warm call: by memray, and by the profile."""
    torch.set_num_threads(1)
    implementation = impls.select(["naive"], impls.load())[0]
    assert isinstance(implementation, Implementation)
    inputs = make_inputs(PROBLEM, purpose="profile", session=0, seed=1)
    preparation = Preparation(implementation)
    call = call_of(preparation.bind(PROBLEM, inputs), inputs)
    with preparation.first(PROBLEM, PROBLEM):
        _, usage = memory.measure(call, "cpu", [inputs.q, inputs.k, inputs.v])
    with memray.Tracker(file):
        call()
    found = profiled(call, PROBLEM, HostClock(), usage.kept_bytes or 0)
    ours: Counter[int] = Counter()
    for held in found.memory.held:
        ours[int(found.nodes[held.line].name.split(":")[1].split()[0])] += held.bytes
    peaks = {"peak": usage.peak_bytes, "profile": found.memory.peak_bytes, "ours": dict(ours)}
    sys.stdout.write(json.dumps({**peaks, **_of_memray(file)}))


def _of_memray(file: str) -> dict[str, object]:
    reader = memray.FileReader(file)
    lines: Counter[int] = Counter()
    for record in reader.get_high_watermark_allocation_records(merge_threads=True):
        own = [line for _, name, line in record.stack_trace() if name.endswith(FILE)]
        if own:
            lines[own[0]] += record.size
    return {"memray": reader.metadata.peak_memory, "theirs": dict(lines)}


if __name__ == "__main__":
    main(sys.argv[1])
